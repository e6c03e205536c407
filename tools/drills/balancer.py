"""A local balancer, like a Kubernetes Service: each connection goes to one ready replica."""

import asyncio
import contextlib
import itertools

from tools.drills.http_client import Broken, Client
from tools.drills.relay import Relay

PROBE_SECONDS = 0.2


class Balancer(Relay):
    """Polls the readiness of each replica."""

    def __init__(self) -> None:
        super().__init__()
        self._ready: dict[int, bool] = {}
        self._turn = itertools.count()

    async def __aenter__(self) -> "Balancer":
        await super().__aenter__()
        self._probing = asyncio.create_task(self._probe())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._probing.cancel()
        await asyncio.gather(self._probing, return_exceptions=True)
        await super().__aexit__(*error)

    def add(self, port: int) -> None:
        """Adds a live replica; it gets connections when it is ready."""
        self._ready[port] = False

    def remove(self, port: int) -> None:
        self._ready.pop(port, None)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the next ready replica that accepts. Raises OSError."""
        ready = [port for port, is_ready in self._ready.items() if is_ready]
        first = next(self._turn)
        for offset in range(len(ready)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", ready[(first + offset) % len(ready)])
        raise ConnectionRefusedError("no replica is ready")

    async def until_ready(self, replicas: int, seconds: float = 20.0) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while sum(self._ready.values()) < replicas:
                await asyncio.sleep(0.05)

    async def _probe(self) -> None:
        while True:
            await asyncio.gather(*(self._look(port) for port in list(self._ready)))
            await asyncio.sleep(PROBE_SECONDS)

    async def _look(self, port: int) -> None:
        client = Client(port)
        try:
            async with asyncio.timeout(1):
                is_ready = (await client.ask("GET", "/health/ready")).status == 200
        except (Broken, TimeoutError):
            is_ready = False
        finally:
            client.close()
        if port in self._ready:
            self._ready[port] = is_ready
