"""Three floods, one after the other, at each service: memory returns to the system within a minute."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage
from tools.processes.service import Service

WARM_SECONDS, WAIT_SECONDS = 5.0, 60.0
MOST = 1.2
"""Times the memory before the floods."""

POST = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
HEAD = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 7800) for n in range(100))


async def play(folder: Path) -> list[Outcome]:
    async with own_store(folder / "store") as store, stage(folder) as on:
        users, gateway = await on.pair(store.url)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(WARM_SECONDS)
        return [await flood(gateway, b"/api/users"), await flood(users, b"/users")]


async def flood(service: Service, path: bytes) -> Outcome:
    outcome = Outcome(f"memory of {service.site} after floods")
    before = service.pss_mib()
    peak = before
    for count, request in floods(path):
        await asyncio.gather(*(send(service.port, request) for _ in range(count)))
        peak = max(peak, service.pss_mib())
    ended = monotonic()
    while (after := service.pss_mib()) > MOST * before and monotonic() - ended < WAIT_SECONDS:
        await asyncio.sleep(1)
    outcome.require("times the memory before", after / before, MOST)
    outcome.note = f"{before:.0f} MiB, {peak:.0f} after a flood, {after:.0f} after {monotonic() - ended:.0f} s"
    return outcome


def floods(path: bytes) -> Iterator[tuple[int, bytes]]:
    """The number of connections and what each sends: unfinished heads, unfinished bodies, bodies that are too large."""
    yield 250, HEAD % path
    yield 1000, POST % (path, 65_000) + b" " * 60_000
    yield 1000, POST % (path, 200_000) + b" " * 200_000


async def send(port: int, request: bytes) -> None:
    """Sends it all, and waits a moment for an answer."""
    with contextlib.suppress(OSError, TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            async with asyncio.timeout(3):
                await writer.drain()
                await reader.read()
        finally:
            writer.transport.abort()


DRILL = Drill("memory", "floods of heads and bodies at each service, then memory", play, is_quick=False)
