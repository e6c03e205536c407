"""A real gateway in front of an upstream that records."""

from collections.abc import Iterator

import pytest

from tests.recording import Recording, recording
from tools.processes.service import Service, service


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Recording]]:
    """The gateway, and the upstream behind it; bodies of 64 MiB pass, an answer takes at most 1.5 s."""
    settings = {"AUTH": "none", "UPSTREAM_TIMEOUT_MS": "1500", "MAX_BODY_BYTES": str(64 << 20)}
    with (
        recording() as running,
        service(
            "gateway_site", tmp_path_factory.mktemp("recorded"), USER_SERVICE_URL=running.url, **settings
        ) as gateway,
    ):
        yield gateway, running


@pytest.fixture
def gateway(recorded: tuple[Service, Recording]) -> Service:
    return recorded[0]


@pytest.fixture
def upstream(recorded: tuple[Service, Recording]) -> Recording:
    """What is behind it, with nothing recorded yet."""
    recorded[1].reset()
    return recorded[1]
