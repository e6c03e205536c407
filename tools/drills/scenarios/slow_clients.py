"""200 clients that send slowly, read nothing or send nothing, beside the load."""

import asyncio
import contextlib
import random
import socket
from pathlib import Path
from statistics import median

from tools.drills.ledger import Ledger
from tools.drills.load import load, together
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage

SLOW, ROUNDS, SECONDS = 200, 3, 4.0
ARRIVAL_SECONDS = 2.0
"""They connect one after the other; all at the same moment would be a flood, which is another drill."""

BYTE_SECONDS = 0.5
FLOOR_MS = 20.0
"""A calm p99 below half of this says more about the machine than about the services."""

HEAD = b"POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
KINDS = {
    "head": b"GET /api/users HTTP/1.1\r\n",
    "body": HEAD + b"Content-Length: 1000\r\n\r\n",
    "chunked body": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "unread answers": b"GET /api/users?limit=100 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3,
}
DRIP = {"head": b"X", "body": b"{", "chunked body": b"1\r\n{\r\n", "unread answers": b""}


async def play(folder: Path) -> list[Outcome]:
    """Without and with slow clients in turn: the machine changes."""
    async with own_store(folder / "store") as store, stage(folder) as on:
        _, gateway = await on.pair(store.url)
        calm, disturbed = [], []
        outcome = Outcome(f"{SLOW} slow clients", on.ledger)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(1)
            for _ in range(ROUNDS):
                calm.append(await p99(on.ledger))
                async with together(drip(gateway.port, kind) for _ in range(SLOW // len(KINDS)) for kind in KINDS):
                    disturbed.append(await p99(on.ledger))
        await outcome.verify(gateway.port)
    without = median(calm)
    outcome.require("ms, p99 of the others", median(disturbed), round(max(2 * without, FLOOR_MS), 1))
    outcome.require("bad answers", outcome.bad, 0)
    outcome.note = f"p99 {without:.1f} ms without them; medians of {ROUNDS} rounds"
    return [outcome]


async def p99(ledger: Ledger) -> float:
    before = len(ledger.events)
    await asyncio.sleep(SECONDS)
    seconds = sorted(event.seconds for event in ledger.events[before:])
    return 1000 * seconds[int(0.99 * (len(seconds) - 1))]


async def drip(port: int, kind: str) -> None:
    await asyncio.sleep(random.uniform(0, ARRIVAL_SECONDS))
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
