"""One address of an upstream fails; a whole upstream hangs beside another one. Both behind one gateway."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median
from time import monotonic

from tools.drills.http_client import Broken, Client
from tools.drills.ledger import Ledger
from tools.drills.load import load, together
from tools.drills.outcome import Drill, Outcome
from tools.drills.scenarios.slow_clients import p99
from tools.drills.stage import Stage, own_store, stage
from tools.processes.service import Service, free_port

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
FAULT_SECONDS, SETTLE_SECONDS = 7.0, 3.0
ROUNDS, CLIENTS, PAUSE_SECONDS = 5, 32, 0.1
NOISE_MS = 1.5
"""Added to the calm p99 where 10 % of it are less."""


async def one_address(folder: Path) -> list[Outcome]:
    """The same replica hangs, then refuses, then answers every request but that of its liveness with 500."""
    async with own_store(folder / "store") as store, stage(folder) as on:
        port = str(free_port())
        users = await asyncio.gather(*(on.users(store.url, HOST=host, PORT=port) for host in HOSTS))
        routes = folder / "routes.yaml"
        routes.write_text(
            f"upstreams:\n  user-service: {{url: 'http://localhost:{port}', health: /health/live, addresses: {list(HOSTS)}}}\n"
            "routes:\n- {prefix: /api/users, upstream: user-service}\n"
        )
        gateway = await on.service("gateway_site", ROUTES=str(routes))
        with frozen(on, users[0]):
            outcomes = [await suffer(gateway, "hangs")]
        await asyncio.sleep(SETTLE_SECONDS)
        on.kill(users[0])
        outcomes.append(await suffer(gateway, "refuses"))
        async with failing(HOSTS[0], int(port)):
            outcomes.append(await suffer(gateway, "answers 500"))
    return outcomes


@contextmanager
def frozen(on: Stage, service: Service) -> Iterator[None]:
    on.signal(service, signal.SIGSTOP)
    try:
        yield
    finally:
        on.signal(service, signal.SIGCONT)


async def suffer(gateway: Service, how: str) -> Outcome:
    outcome = Outcome(f"one address of {len(HOSTS)} {how}")
    async with load(gateway.port, outcome.ledger, clients=CLIENTS):
        await asyncio.sleep(FAULT_SECONDS)
    await outcome.verify(gateway.port)
    outcome.require("bad GETs", outcome.bad_reads, 0)
    outcome.require("s that a GET took", max(e.seconds for e in outcome.ledger.events if e.method == "GET"), 4.5)
    return outcome


@asynccontextmanager
async def failing(host: str, port: int) -> AsyncIterator[None]:
    """A server that answers 500, and 200 to probes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = b"200 OK" if b" /health/live " in head else b"500 Internal Server Error"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, host, port):
        yield


async def one_upstream(folder: Path) -> list[Outcome]:
    """Two user services with a store each. The second one runs and hangs in turn, under the same load."""
    async with own_store(folder / "store") as store, own_store(folder / "other") as other, stage(folder) as on:
        users, people = await on.users(store.url), await on.users(other.url)
        routes = folder / "routes.yaml"
        routes.write_text(
            f"routes:\n- {{prefix: /api/people, rewrite: /users, upstream: '{people.url}', timeout_ms: 1500}}\n"
        )
        gateway = await on.gateway(users.url, ROUTES=str(routes))
        outcome = Outcome("one upstream of 2 hangs", on.ledger)
        asked, calm, disturbed, good = Ledger(), list[float](), list[float](), 0
        async with load(gateway.port, on.ledger), together(visit(gateway.port, asked) for _ in range(CLIENTS)):
            await asyncio.sleep(SETTLE_SECONDS)
            for _ in range(ROUNDS):
                calm.append(await p99(on.ledger))
                with frozen(on, people):
                    before = len(asked.events)
                    disturbed.append(await p99(on.ledger))
                    good += sum(event.status == 200 for event in asked.events[before + CLIENTS :])
                await asyncio.sleep(SETTLE_SECONDS)
        await outcome.verify(gateway.port)
    without = median(calm)
    outcome.require("ms, p99 of the other", median(disturbed), round(max(1.1 * without, without + NOISE_MS), 2))
    outcome.require("bad answers of the other", outcome.bad, 0)
    outcome.require("answers of the one that hangs", good, 0)
    outcome.note = f"p99 {without:.1f} ms while both run; medians of {ROUNDS} rounds"
    return [outcome]


async def visit(port: int, ledger: Ledger) -> None:
    """Reads of the second upstream."""
    client = Client(port)
    try:
        while True:
            started = monotonic()
            try:
                ledger.note("GET", started, await client.ask("GET", "/api/people"))
            except Broken as error:
                ledger.note("GET", started, None, str(error))
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
    finally:
        client.close()


ADDRESS = Drill("one-address", "one of 3 addresses of an upstream hangs, refuses, answers 500", one_address)
UPSTREAM = Drill("one-upstream", "one of 2 upstreams hangs under load", one_upstream, is_quick=False)
