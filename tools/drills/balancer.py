"""A local balancer, like a Kubernetes Service: each connection goes to one ready replica."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Self

from tools.drills.http_client import Broken, Client
from tools.drills.relay import Relay
from tools.processes.service import Service

PROBE_SECONDS = 0.2
START_SECONDS = 20


class Balancer(Relay):
    """Polls the readiness of each replica. `start` starts one."""

    def __init__(self, start: Callable[[], Awaitable[Service]]) -> None:
        super().__init__()
        self._start = start
        self._ready: dict[int, bool] = {}
        self._turn = itertools.count()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._probing = asyncio.create_task(self._probe())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._probing.cancel()
        await asyncio.gather(self._probing, return_exceptions=True)
        await super().__aexit__(*error)

    async def add(self, count: int) -> list[Service]:
        """Starts replicas; returns when they are ready. Raises TimeoutError."""
        started = await asyncio.gather(*(self._start() for _ in range(count)))
        self._ready |= {service.port: False for service in started}
        async with asyncio.timeout(START_SECONDS):
            while not all(self._ready[service.port] for service in started):
                await asyncio.sleep(0.05)
        return list(started)

    def remove(self, replica: Service) -> None:
        self._ready.pop(replica.port, None)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connects to the next ready replica that accepts. Raises OSError."""
        ready = [port for port, is_ready in self._ready.items() if is_ready]
        first = next(self._turn)
        for offset in range(len(ready)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", ready[(first + offset) % len(ready)])
        raise ConnectionRefusedError("no replica is ready")

    async def _probe(self) -> None:
        while True:
            await asyncio.gather(*(self._look(port) for port in list(self._ready)))
            await asyncio.sleep(PROBE_SECONDS)

    async def _look(self, port: int) -> None:
        is_ready = False
        with closing(Client(port)) as client, contextlib.suppress(Broken, TimeoutError):
            async with asyncio.timeout(1):
                is_ready = (await client.ask("GET", "/health/ready")).status == 200
        if port in self._ready:
            self._ready[port] = is_ready
