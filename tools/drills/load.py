"""The mixed load: clients that read, list, create, change and delete, one request at a time each, and fill the ledger."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import orjson

from tools.drills.http_client import Answer, Broken, Client
from tools.drills.ledger import Entry, Ledger

CLIENTS = 16
PAUSE_SECONDS = 0.02
"""Mean pause of a client between requests: a steady load, far below capacity."""


class Machine:
    """`drills`: the number of drills at a time; the load of each is divided by it."""

    drills = 1


def share_machine(drills: int) -> None:
    Machine.drills = drills


@asynccontextmanager
async def together(clients: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """The clients run until the end of the `with` block, which cancels them."""
    tasks = [asyncio.create_task(client) for client in clients]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


MIX = (("read", 55), ("list", 10), ("create", 20), ("change", 10), ("delete", 5))
CREATE_TRIES = 3
WATCH_SECONDS = 0.05


class Visitor:
    """One client and its users; `retries_reads`: retries a GET on a new connection, as browsers do."""

    def __init__(self, port: int, ledger: Ledger, name: str, *, retries_reads: bool) -> None:
        self._client, self._ledger, self._name = Client(port), ledger, name
        self._retries_reads = retries_reads
        self._mine: list[Entry] = []
        self._made = 0

    async def run(self, pause: float, ending: asyncio.Event) -> None:
        """Until `ending`, then to the end of the request in flight: its outcome belongs in the ledger."""
        kinds, weights = zip(*MIX, strict=True)
        try:
            while not ending.is_set():
                kind = random.choices(kinds, weights)[0]  # type: ignore[arg-type]
                if kind in {"read", "change", "delete"} and not self._mine:
                    kind = "create"
                await getattr(self, f"_{kind}")()
                await asyncio.sleep(random.uniform(0, 2 * pause))
        finally:
            self._client.close()

    async def _ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer | None:
        started, about = monotonic(), headers.get("Idempotency_Key", path)
        for may_repeat in (self._retries_reads and method == "GET", False):
            try:
                answer = await self._client.ask(method, path, body, **headers)
            except Broken as error:
                if may_repeat:
                    continue
                self._ledger.note(method, started, None, str(error), about)
                return None
            self._ledger.note(method, started, answer, about=about)
            return answer
        return None

    async def _read(self) -> None:
        await self._ask("GET", f"/api/users/{random.choice(self._mine).user_id}")

    async def _list(self) -> None:
        await self._ask("GET", "/api/users?limit=20")

    async def _create(self) -> None:
        self._made += 1
        entry = Entry(f"{self._name}-{self._made}")
        self._ledger.entries[entry.tag] = entry
        body = orjson.dumps({"name": entry.tag, "email": f"{entry.tag}@example.com"})
        for _ in range(CREATE_TRIES):
            # With the same key until the outcome is known, as the contract describes.
            answer = await self._ask("POST", "/api/users", body, Idempotency_Key=entry.tag)
            self._ledger.wrote(entry, entry.tag, answer)
            if answer and answer.status == 201:
                entry.user_id = orjson.loads(answer.body)["id"]
                self._mine.append(entry)
            if answer and len(entry.states) == 1:
                return
            await asyncio.sleep(0.5)

    async def _change(self) -> None:
        entry = random.choice(self._mine)
        wanted = f"{entry.tag} {secrets.token_hex(4)}"
        body = orjson.dumps({"name": wanted})
        self._ledger.wrote(entry, wanted, await self._ask("PATCH", f"/api/users/{entry.user_id}", body))

    async def _delete(self) -> None:
        entry = self._mine.pop(random.randrange(len(self._mine)))
        self._ledger.wrote(entry, None, await self._ask("DELETE", f"/api/users/{entry.user_id}"))


@asynccontextmanager
async def load(
    port: int,
    ledger: Ledger,
    *,
    clients: int = CLIENTS,
    pause: float = PAUSE_SECONDS,
    retries_reads: bool = False,
) -> AsyncIterator[None]:
    run = secrets.token_hex(3)
    visitors = [Visitor(port, ledger, f"{run}-{n}", retries_reads=retries_reads) for n in range(clients)]
    ending = asyncio.Event()
    tasks = [asyncio.create_task(visitor.run(pause * Machine.drills, ending)) for visitor in visitors]
    watching = asyncio.create_task(watch_the_machine(ledger))
    try:
        yield
        failed = [task for task in tasks if task.done()]
        if failed:
            raise RuntimeError("a client of the load ended") from failed[0].exception()
    finally:
        ending.set()
        await asyncio.wait(tasks)
        watching.cancel()


async def watch_the_machine(ledger: Ledger) -> None:
    while True:
        started = monotonic()
        await asyncio.sleep(WATCH_SECONDS)
        ledger.stalled = max(ledger.stalled, monotonic() - started - WATCH_SECONDS)
