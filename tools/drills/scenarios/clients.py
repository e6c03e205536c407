"""Misbehaving clients: slow ones beside the load; floods, after which memory must return to the system."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator
from statistics import median
from time import monotonic

from tools.drills.ledger import Ledger
from tools.drills.load import load, p99, together
from tools.drills.stage import Stage
from tools.processes.service import Service

SLOW, ROUNDS, SECONDS = 200, 3, 4.0
ARRIVAL_SECONDS = 2.0
"""They connect one after the other: all together would be a flood, which is another drill."""

BYTE_SECONDS = 0.5
FLOOR_MS = 20.0
"""A calm p99 below half of this depends on the machine more than on the services."""

POST = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SLOW_POST = POST % b"/api/users"
KINDS = {
    "head": (b"GET /api/users HTTP/1.1\r\n", b"X"),
    "body": (SLOW_POST + b"Content-Length: 1000\r\n\r\n", b"{"),
    "chunked body": (SLOW_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
    "unread answers": (b"GET /api/users?limit=100 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3, b""),
}
"""The bytes that each kind sends first, and then twice a second."""

WARM_SECONDS, WAIT_SECONDS = 5.0, 60.0
MOST = 1.2
"""The bound, as a ratio to the memory before the floods."""

LARGE_HEAD = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(
    b"X-%d: %b\r\n" % (n, b"x" * 7800) for n in range(100)
)


async def slow(on: Stage) -> None:
    """200 clients with slow heads, slow bodies and unread answers, beside the load.

    Without and with them in turn: the machine changes.
    """
    store = await on.store()
    _, gateway = await on.pair(store.url)
    calm, disturbed = [], []
    async with on.loaded(f"{SLOW} slow clients", gateway.port) as outcome:
        await asyncio.sleep(1)
        for _ in range(ROUNDS):
            calm.append(await p99(outcome.ledger, SECONDS))
            drips = (drip(gateway.port, *kind) for _ in range(SLOW // len(KINDS)) for kind in KINDS.values())
            async with together(drips):
                disturbed.append(await p99(outcome.ledger, SECONDS))
    without = median(calm)
    outcome.require("ms, p99 of the others", median(disturbed), round(max(2 * without, FLOOR_MS), 1))
    outcome.require("bad answers", outcome.bad, 0)
    outcome.note = f"p99 {without:.1f} ms without them; medians of {ROUNDS} rounds"


async def drip(port: int, first: bytes, then: bytes) -> None:
    await asyncio.sleep(random.uniform(0, ARRIVAL_SECONDS))
    with contextlib.suppress(OSError):
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
        _, writer = await asyncio.open_connection(sock=narrow)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            writer.write(first)
            while not writer.is_closing():
                await asyncio.sleep(BYTE_SECONDS)
                writer.write(then)
                await writer.drain()
        finally:
            writer.transport.abort()


async def floods(on: Stage) -> None:
    """Floods of heads and bodies at each service; then memory returns to the system."""
    store = await on.store()
    users, gateway = await on.pair(store.url)
    async with load(gateway.port, Ledger()):
        await asyncio.sleep(WARM_SECONDS)
    await flood(on, gateway, b"/api/users")
    await flood(on, users, b"/users")


async def flood(on: Stage, service: Service, path: bytes) -> None:
    outcome = on.outcome(f"memory of {service.site} after floods")
    before = peak = service.pss_mib()
    for count, request in requests(path):
        await asyncio.gather(*(send(service.port, request) for _ in range(count)))
        peak = max(peak, service.pss_mib())
    ended = monotonic()
    while (after := service.pss_mib()) > MOST * before and monotonic() - ended < WAIT_SECONDS:
        await asyncio.sleep(1)
    outcome.require("times the memory before", after / before, MOST)
    outcome.note = f"{before:.0f} MiB, {peak:.0f} after a flood, {after:.0f} after {monotonic() - ended:.0f} s"


def requests(path: bytes) -> Iterator[tuple[int, bytes]]:
    """The number of connections and what each sends: unfinished heads, unfinished bodies, bodies that are too large."""
    yield 250, LARGE_HEAD % path
    yield 1000, POST % path + b"Content-Length: 65000\r\n\r\n" + b" " * 60_000
    yield 1000, POST % path + b"Content-Length: 200000\r\n\r\n" + b" " * 200_000


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
