"""Tables from text, as the settings read them, and gateways with them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway_site.routes.reading import OwnAddress, table
from gateway_site.routes.source import Malformed
from gateway_site.routes.table import Table
from gateway_site.tests.routes.scripted import Scripted, scripted
from tests.metrics import sample
from tests.recording import Recording, recording
from tests.serving import Served, serving
from tests.wire import Answer, exchange, get
from tools.processes.service import Service, service

OWN_ADDRESS = OwnAddress(3000, frozenset({"api-gateway"}), ("api.example.com", 443))
USERS = "http://user-service:3001"


class Tables:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def source(self, text: str, suffix: str = ".toml", users: str = USERS) -> tuple[Any, ...]:
        """The arguments of `table`: a file with this text; without a newline in it, a setting."""
        if "\n" in text:
            path = self.folder / f"routes{suffix}"
            path.write_text(text)
            text = str(path)
        return text, users, {"timeout_ms": 5000}, {"connect_timeout_ms": 500}, OWN_ADDRESS

    def read(self, text: str, suffix: str = ".toml", users: str = USERS) -> Table:
        return table(*self.source(text, suffix, users))

    def refused(self, text: str, suffix: str = ".toml") -> str:
        """The line that refuses the text."""
        with pytest.raises(Malformed) as caught:
            self.read(text, suffix)
        return str(caught.value)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)


@pytest.fixture(params=["http.server", "node"])
def upstream(request: pytest.FixtureRequest) -> Iterator[Scripted]:
    """Each test that asks for it runs with both."""
    with scripted(request.param) as running:
        yield running


@pytest.fixture
def users(recorded: Recording) -> Recording:
    """The user service's stand-in."""
    recorded.reset()
    return recorded


@pytest.fixture
def gateway(request: pytest.FixtureRequest, tmp_path: Path, upstream: Scripted, users: Recording) -> Iterator[Served]:
    """With the TABLE of the test's module."""
    path = tmp_path / "routes.toml"
    path.write_text(request.module.TABLE.format(upstream=upstream.url))
    with serving("gateway_site", ROUTES=str(path), USER_SERVICE_URL=users.url, UPSTREAM_TIMEOUT_MS="2000") as running:
        yield running


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recording]:
    """An upstream that records."""
    with recording() as running:
        yield running


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Starts a gateway of its own process with the routes of a text, which lie in `routes.toml` beside its log."""
    with ExitStack() as started:

        def run(text: str, **settings: str) -> Service:
            folder = tmp_path_factory.mktemp("gateway")
            (folder / "routes.toml").write_text(text)
            given = {"USER_SERVICE_URL": "http://127.0.0.1:1", "AUTH": "none", **settings}
            return started.enter_context(service("gateway_site", folder, ROUTES=str(folder / "routes.toml"), **given))

        yield run


def metric(gateway: Service | Served, series: str) -> float:
    """The value of a series; 0 without one."""
    return sample(gateway, series) or 0.0


def asked(gateway: Served, *fields: str, path: str = "/shop", method: str = "GET") -> Answer:
    return exchange(gateway.port, get(path, *fields, method=method), method)
