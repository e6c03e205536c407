import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from packages.http_pool import Limits, Upstream

from .hostile import Hostile, Script


def pytest_asyncio_loop_factories(config, item):
    """On uvloop, which ships; and on asyncio's own loop, but for the choice of an address, which concerns no transport."""
    if item.path.name == "test_addresses.py":
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


OF_UPSTREAM = {"tls", "addresses", "zones", "check", "changed"}
"""Its own options; the others are limits."""


@pytest.fixture
async def hostile() -> AsyncIterator[Callable[..., Hostile]]:
    """Starts servers that follow a script; all of them end with the test."""
    servers: list[Hostile] = []

    async def start(script: Script, **options) -> Hostile:
        server = Hostile(script)
        await server.start(**options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def changes() -> list[tuple[str, str]]:
    """The addresses that were ejected, each with the reason, and those that came back."""
    return []


@pytest.fixture
async def client(changes) -> AsyncIterator[Callable[..., Upstream]]:
    """Makes clients of a server or a URL; all of them are closed with the test."""
    clients: list[Upstream] = []

    def make(server: Hostile | str, **options) -> Upstream:
        url = server if isinstance(server, str) else server.url
        options.setdefault("changed", lambda *change: changes.append(change))
        own = {name: options.pop(name) for name in OF_UPSTREAM & options.keys()}
        # No connection expires within a test unless the test sets a limit.
        limits = Limits(**{"connect_timeout": 5.0, "idle_timeout": 600.0, "max_age": 600.0, **options})
        upstream = Upstream(url, limits, **own)
        clients.append(upstream)
        return upstream

    yield make
    for upstream in clients:
        await upstream.close()
        assert upstream.stats == (0, 0, 0), "the pool lost count of a connection or of a request in the queue"


@pytest.fixture
def resolver(monkeypatch):
    """The addresses of names, and the number of look-ups."""
    answers: list[str] = []
    asked: list[str] = []

    async def getaddrinfo(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    def install(*addresses: str) -> list[str]:
        answers[:] = addresses
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return asked

    return install
