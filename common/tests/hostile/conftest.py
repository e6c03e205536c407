"""The gateway, whose server both sites have, and what it did with the bytes."""

from collections.abc import Iterator

import pytest
import requests

from common.tests.hostile.target import Target
from tests.recording import recording
from tools.processes.service import service


@pytest.fixture(scope="session")
def running_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The gateway before an upstream that records."""
    with recording() as upstream:
        settings = {"USER_SERVICE_URL": upstream.url, "AUTH": "none"}
        with service("gateway_site", tmp_path_factory.mktemp("hostile"), **settings) as running:
            yield Target(running, upstream)


@pytest.fixture
def target(running_target: Target) -> Iterator[Target]:
    """Checks that the site serves before and after each test."""
    running_target.upstream.reset()
    yield running_target
    assert requests.get(f"{running_target.service.url}/health/live", timeout=10).status_code == 200
    assert running_target.service.process.poll() is None
    assert '"error.type"' not in running_target.service.log.read_text()
