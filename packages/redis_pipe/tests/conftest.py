import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from packages.redis_pipe import Address, Options, Pipe, Place
from packages.redis_pipe import connect as connect_to
from packages.redis_pipe.tests.hostile import Hostile
from tools.processes.valkey import Valkey, valkey


def pytest_asyncio_loop_factories(item):
    """Runs each async test on both loops: the service uses uvloop, the commands asyncio's.

    Except real failovers, which take seconds: the hostile stand-ins cover the differences of the loops.
    """
    if item.path.name in {"test_cluster.py", "test_failover.py"}:
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def server():
    with valkey() as running:
        yield running


SLOT_KEY = "{users:0}:ids"

Connect = Callable[..., Any]


@pytest.fixture
async def connect():
    """Makes connections to a URL, a Valkey or a Hostile, and closes them at the end."""
    made: list[Pipe | Place] = []

    def make(target: str | Valkey | Hostile, **options: Any) -> Any:
        url = target if isinstance(target, str) else target.url
        limits = Options(**{"timeout": 5.0, "connect_timeout": 5.0} | options)
        made.append(connect_to(Address.from_url(url), SLOT_KEY, limits))
        return made[-1]

    yield make
    for connection in made:
        await connection.close()


@pytest.fixture
async def hostile():
    """Starts hostile servers and stops them at the end."""
    started: list[Hostile] = []

    async def start(answer, port=0, **options) -> Hostile:
        started.append(Hostile(answer, **options))
        await started[-1].start(port=port)
        return started[-1]

    yield start
    for running in started:
        await running.stop()
