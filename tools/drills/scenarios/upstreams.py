"""One address of an upstream fails; one of two upstreams hangs."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from statistics import median

from tools.drills.http_client import Client
from tools.drills.ledger import Ledger
from tools.drills.load import p99, together
from tools.drills.stage import Stage
from tools.processes.service import Service, free_port

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
FAULT_SECONDS, SETTLE_SECONDS = 7.0, 3.0
ROUNDS, ROUND_SECONDS, CLIENTS, PAUSE_SECONDS = 5, 4.0, 32, 0.1
NOISE_MS = 1.5
"""Added to the calm p99 if 10 % of it are less."""


async def one_address(on: Stage) -> None:
    """One of 3 addresses of an upstream hangs, then refuses, then answers 500 to everything but probes."""
    store, port = await on.store(), str(free_port())
    users = await asyncio.gather(*(on.users(store.url, HOST=host, PORT=port) for host in HOSTS))
    routes = on.folder / "routes.yaml"
    routes.write_text(
        f"upstreams:\n  user-service: {{url: 'http://localhost:{port}', health: /health/live, addresses: {list(HOSTS)}}}\n"
        "routes:\n- {prefix: /api/users, upstream: user-service}\n"
    )
    gateway = await on.gateway(ROUTES=str(routes))
    with frozen(on, users[0]):
        await measure(on, gateway, "hangs")
    await asyncio.sleep(SETTLE_SECONDS)
    on.kill(users[0])
    await measure(on, gateway, "refuses")
    async with failing(HOSTS[0], int(port)):
        await measure(on, gateway, "answers 500")


@contextmanager
def frozen(on: Stage, service: Service) -> Iterator[None]:
    on.signal(service, signal.SIGSTOP)
    try:
        yield
    finally:
        on.signal(service, signal.SIGCONT)


async def measure(on: Stage, gateway: Service, how: str) -> None:
    async with on.loaded(f"one address of {len(HOSTS)} {how}", gateway.port, clients=CLIENTS) as outcome:
        await asyncio.sleep(FAULT_SECONDS)
    outcome.require("bad GETs", outcome.bad_reads, 0)
    outcome.require("s that a GET took", max(e.seconds for e in outcome.ledger.events if e.method == "GET"), 4.5)


@asynccontextmanager
async def failing(host: str, port: int) -> AsyncIterator[None]:
    """A server that answers 500, and 200 to probes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):  # a client that only connects
            head = await reader.readuntil(b"\r\n\r\n")
            status = b"200 OK" if b" /health/live " in head else b"500 Internal Server Error"
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, host, port):
        yield


async def one_upstream(on: Stage) -> None:
    """One of 2 upstreams runs and hangs in turn, under load on both."""
    store, other = await on.store(), await on.store("other")
    users, people = await on.users(store.url), await on.users(other.url)
    routes = on.folder / "routes.yaml"
    routes.write_text(
        f"routes:\n- {{prefix: /api/people, rewrite: /users, upstream: '{people.url}', timeout_ms: 1500}}\n"
    )
    gateway = await on.gateway(users.url, ROUTES=str(routes))
    asked, calm, disturbed, good = Ledger(), list[float](), list[float](), 0
    visits = together(visit(gateway.port, asked) for _ in range(CLIENTS))
    async with on.loaded("one upstream of 2 hangs", gateway.port) as outcome, visits:
        await asyncio.sleep(SETTLE_SECONDS)
        for _ in range(ROUNDS):
            calm.append(await p99(outcome.ledger, ROUND_SECONDS))
            with frozen(on, people):
                before = len(asked.events)
                disturbed.append(await p99(outcome.ledger, ROUND_SECONDS))
                good += sum(event.status == 200 for event in asked.events[before + CLIENTS :])
            await asyncio.sleep(SETTLE_SECONDS)
    without = median(calm)
    outcome.require("ms, p99 of the other", median(disturbed), round(max(1.1 * without, without + NOISE_MS), 2))
    outcome.require("bad answers of the other", outcome.bad, 0)
    outcome.require("answers of the one that hangs", good, 0)
    outcome.note = f"p99 {without:.1f} ms while both run; medians of {ROUNDS} rounds"


async def visit(port: int, ledger: Ledger) -> None:
    """Reads of the second upstream."""
    with closing(Client(port)) as client:
        while True:
            await ledger.ask(client, "GET", "/api/people")
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
