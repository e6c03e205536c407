"""Gateways behind each kind of guard, in front of an upstream that records."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from gateway_site.guard import api_keys
from gateway_site.guard.principal import READ, WRITE
from gateway_site.tests.guard.issuer import Issuer, issuer
from tools.testing.recording import Recording, recording
from tools.testing.service import Service, service

Start = Callable[..., AbstractContextManager[Service]]


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[Recording]:
    """What is behind the gateways."""
    with recording() as running:
        yield running


@pytest.fixture
def upstream(running_upstream: Recording) -> Iterator[Recording]:
    """What is behind the gateways, with nothing recorded yet; what a test has it answer ends with the test."""
    running_upstream.reset()
    yield running_upstream
    running_upstream.reset()


@pytest.fixture(scope="session")
def running_issuer() -> Iterator[Issuer]:
    """Who signs tokens."""
    with issuer() as running:
        yield running


@pytest.fixture
def trusted_issuer(running_issuer: Issuer) -> Iterator[Issuer]:
    """Who signs tokens, with its first keys, before and after."""
    running_issuer.reset()
    yield running_issuer
    running_issuer.reset()


@pytest.fixture(scope="session")
def keys() -> dict[str, tuple[str, str]]:
    """API keys with their lines: of one who may do all, and of one who may read."""
    return {
        "writer": api_keys.create("writer", frozenset({READ, WRITE}), None),
        "reader": api_keys.create("reader", frozenset({READ}), None),
    }


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, tuple[str, str]]) -> Path:
    """The file that knows them."""
    path = tmp_path_factory.mktemp("keys") / "api-keys.txt"
    path.write_text("# test keys\n\n" + "\n".join(line for _, line in keys.values()) + "\n")
    return path


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory, running_upstream: Recording) -> Start:
    """Starts a gateway with settings of its own."""

    @contextmanager
    def starting(**settings: str) -> Iterator[Service]:
        folder = tmp_path_factory.mktemp("guarded")
        required = {"USER_SERVICE_URL": running_upstream.url, "AUTH": "none"}
        with service("gateway_site", folder, **{**required, **settings}) as running:
            yield running

    return starting


@pytest.fixture(scope="session")
def guarded(start: Start, running_issuer: Issuer, key_file: Path) -> Iterator[Service]:
    """A gateway that takes tokens and keys."""
    settings = {**running_issuer.settings, "AUTH": "jwt,apikey", "AUTH_API_KEYS_FILE": str(key_file)}
    with start(**settings) as running:
        yield running


@pytest.fixture(scope="session")
def open_gateway(start: Start) -> Iterator[Service]:
    """A gateway without a guard."""
    with start() as running:
        yield running
