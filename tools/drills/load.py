"""The mixed load: clients that read, list, create, change and delete, one request at a time each, and fill the ledger."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import orjson

from tools.drills.http_client import Client
from tools.drills.ledger import Entry, Ledger

CLIENTS = 16
PAUSE_SECONDS = 0.02
"""Mean pause of a client between requests: the load is far below capacity."""

MIX = {"read": 55, "list": 10, "create": 20, "change": 10, "delete": 5}
CREATE_TRIES = 3
WATCH_SECONDS = 0.05


class Machine:
    """`drills`: the number of drills at a time; the load of each is divided by it."""

    drills = 1


def share_machine(drills: int) -> None:
    Machine.drills = drills


@asynccontextmanager
async def together(clients: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Runs the clients until the end of the `with` block."""
    tasks = [asyncio.create_task(client) for client in clients]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class LoadClient:
    def __init__(self, client: Client, ledger: Ledger, name: str) -> None:
        self._client, self._ledger, self._name = client, ledger, name
        self._mine: list[Entry] = []
        self._made = 0

    async def run(self, pause: float, ending: asyncio.Event) -> None:
        """Runs until `ending` and the end of the request in flight, whose outcome belongs in the ledger."""
        try:
            while not ending.is_set():
                [kind] = random.choices(list(MIX), list(MIX.values()))
                if kind in {"read", "change", "delete"} and not self._mine:
                    kind = "create"
                await getattr(self, f"_{kind}")()
                await asyncio.sleep(random.uniform(0, 2 * pause))
        finally:
            self._client.close()

    async def _read(self) -> None:
        await self._ledger.ask(self._client, "GET", f"/api/users/{random.choice(self._mine).user_id}")

    async def _list(self) -> None:
        await self._ledger.ask(self._client, "GET", "/api/users?limit=20")

    async def _create(self) -> None:
        self._made += 1
        entry = Entry(f"{self._name}-{self._made}")
        self._ledger.entries[entry.tag] = entry
        body = orjson.dumps({"name": entry.tag, "email": f"{entry.tag}@example.com"})
        for _ in range(CREATE_TRIES):
            # With the same key, until the outcome is known.
            answer = await self._ledger.ask(self._client, "POST", "/api/users", body, Idempotency_Key=entry.tag)
            self._ledger.wrote(entry, entry.tag, answer)
            if answer and answer.status == 201:
                entry.user_id = answer.json()["id"]
                self._mine.append(entry)
            if answer and len(entry.states) == 1:
                return
            await asyncio.sleep(0.5)

    async def _change(self) -> None:
        entry = random.choice(self._mine)
        wanted = f"{entry.tag} {secrets.token_hex(4)}"
        await self._write("PATCH", entry, wanted, orjson.dumps({"name": wanted}))

    async def _delete(self) -> None:
        await self._write("DELETE", self._mine.pop(random.randrange(len(self._mine))), None)

    async def _write(self, method: str, entry: Entry, wanted: str | None, body: bytes = b"") -> None:
        answer = await self._ledger.ask(self._client, method, f"/api/users/{entry.user_id}", body)
        self._ledger.wrote(entry, wanted, answer)


@asynccontextmanager
async def load(
    port: int, ledger: Ledger, *, clients: int = CLIENTS, pause: float = PAUSE_SECONDS, retries_reads: bool = False
) -> AsyncIterator[None]:
    run, ending = secrets.token_hex(3), asyncio.Event()
    load_clients = [LoadClient(Client(port, retries_reads=retries_reads), ledger, f"{run}-{n}") for n in range(clients)]
    tasks = [asyncio.create_task(client.run(pause * Machine.drills, ending)) for client in load_clients]
    async with together([watch_the_machine(ledger)]):
        try:
            yield
            failed = [task for task in tasks if task.done()]
            if failed:
                raise RuntimeError("a client of the load ended") from failed[0].exception()
        finally:
            ending.set()
            await asyncio.wait(tasks)


async def watch_the_machine(ledger: Ledger) -> None:
    while True:
        started = monotonic()
        await asyncio.sleep(WATCH_SECONDS)
        ledger.stalled = max(ledger.stalled, monotonic() - started - WATCH_SECONDS)


async def p99(ledger: Ledger, seconds: float) -> float:
    """The p99 of the requests that end in this interval, in milliseconds."""
    before = len(ledger.events)
    await asyncio.sleep(seconds)
    took = sorted(event.seconds for event in ledger.events[before:])
    return 1000 * took[int(0.99 * (len(took) - 1))]
