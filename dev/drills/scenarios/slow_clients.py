"""200 clients that send slowly, read nothing or say nothing, beside clients that behave."""

import asyncio
import contextlib
import socket
from pathlib import Path

from dev.drills.drill import Drill
from dev.drills.ledger import Event
from dev.drills.load import load
from dev.drills.outcome import Outcome
from dev.drills.stage import own_store, stage

SLOW, SECONDS = 200, 6.0
BYTE_SECONDS = 0.5
FLOOR_MS = 50.0
"""A calm p99 below this says more about the machine than about the services."""

HEAD = b"POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
KINDS = {
    "head": b"GET /api/users HTTP/1.1\r\n",
    "body": HEAD + b"Content-Length: 1000\r\n\r\n",
    "chunked body": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "unread answers": b"GET /api/users?limit=100 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3,
}
DRIP = {"head": b"X", "body": b"{", "chunked body": b"1\r\n{\r\n", "unread answers": b""}


async def play(folder: Path) -> list[Outcome]:
    """First without them, then with them."""
    async with own_store(folder / "store") as store, stage(folder) as on:
        _, gateway = await on.pair(store.url)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(SECONDS)
            calm = p99(on.ledger.events)
            before = len(on.ledger.events)
            kinds = [kind for _ in range(SLOW // len(KINDS)) for kind in KINDS]
            slow = [asyncio.create_task(drip(gateway.port, kind)) for kind in kinds]
            await asyncio.sleep(SECONDS)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
        outcome = Outcome(f"{SLOW} slow clients", on.ledger)
        outcome.verdict = await on.ledger.verify(gateway.port)
    disturbed = p99(on.ledger.events[before:])
    outcome.require("ms, p99 of the others", disturbed, round(max(2 * calm, FLOOR_MS), 1))
    outcome.require("bad answers", outcome.bad, 0)
    outcome.require("writes lost or doubled", outcome.lost + outcome.doubled, 0)
    outcome.note = f"p99 {calm:.1f} ms without them"
    return [outcome]


def p99(events: list[Event]) -> float:
    """In ms."""
    seconds = sorted(event.seconds for event in events)
    return 1000 * seconds[int(0.99 * (len(seconds) - 1))]


async def drip(port: int, kind: str) -> None:
    """One slow client, until it is cancelled or thrown out."""
    with contextlib.suppress(OSError):
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
        _, writer = await asyncio.open_connection(sock=narrow)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            writer.write(KINDS[kind])
            while not writer.is_closing():
                await asyncio.sleep(BYTE_SECONDS)
                writer.write(DRIP[kind])
                await writer.drain()
        finally:
            writer.transport.abort()


DRILL = Drill("slow-clients", "200 clients with slow heads, slow bodies and unread answers", play, is_quick=False)
