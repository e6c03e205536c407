"""Concurrent reads, writes, conditional writes and deletions of the same users, under faults: each history is linearizable."""

import asyncio
import math
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic

import orjson

from tools.drills.drill import Drill
from tools.drills.http_client import Answer, Broken, Client
from tools.drills.ledger import is_uncertain
from tools.drills.outcome import Outcome
from tools.drills.register import Operation, UndecidedError, is_linearizable
from tools.drills.relay import Relay
from tools.drills.stage import Stage, own_store, stage
from tools.processes.service import Service
from tools.processes.store import Store

USERS, CLIENTS = 8, 3
PAUSE_SECONDS = 0.1
FAULT_SECONDS, CALM_SECONDS = 1.0, 1.0
OUTCOMES = {200: "done", 204: "done", 404: "absent", 412: "failed"}


class User:
    """One user and the history of what its clients saw."""

    def __init__(self, port: int, name: str) -> None:
        self.port, self.first = port, name
        self.history: list[Operation] = []
        self.tags: dict[str, str] = {}
        """The ETag of each name that was read or written."""

    async def create(self) -> None:
        body = orjson.dumps({"name": self.first, "email": f"{self.first}@example.com"})
        answer = await Client(self.port).ask("POST", "/api/users", body)
        self.path = f"/api/users/{orjson.loads(answer.body)['id']}"
        self.tags[self.first] = answer.headers["etag"]

    async def use(self, number: int, ending: asyncio.Event) -> None:
        """One client, until `ending`."""
        client = Client(self.port)
        count = 0
        while not ending.is_set():
            count += 1
            kind = random.choices(("read", "write", "conditional"), (5, 3, 3))[0]
            await self.step(client, kind, f"{self.first}-{number}-{count}")
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
        client.close()

    async def step(self, client: Client, kind: str, wanted: str) -> None:
        """One operation, recorded if it may have had an effect or shows the state."""
        method, body, expected, headers = "GET", b"", None, {}
        if kind == "delete":
            method = "DELETE"
        elif kind != "read":
            method, body = "PATCH", orjson.dumps({"name": wanted})
            if kind == "conditional":
                expected = random.choice(list(self.tags)[-3:])
                headers["If_Match"] = self.tags[expected]
        started = monotonic()
        answer: Answer | None
        try:
            answer = await client.ask(method, self.path, body, **headers)
        except Broken:
            answer = None
        ended = monotonic()
        recorded = "read" if kind == "read" else "delete" if kind == "delete" else "write"
        if answer is None or is_uncertain(answer):
            if recorded != "read":
                self.history.append(Operation(recorded, started, math.inf, "unknown", wanted, expected))  # type: ignore[arg-type]
        elif outcome := OUTCOMES.get(answer.status):
            name = orjson.loads(answer.body)["name"] if answer.status == 200 else wanted
            if answer.status == 200:
                self.tags[name] = answer.headers["etag"]
            self.history.append(Operation(recorded, started, ended, outcome, name, expected))  # type: ignore[arg-type]


@asynccontextmanager
async def load(users: list[User]) -> AsyncIterator[None]:
    ending = asyncio.Event()
    tasks = [asyncio.create_task(user.use(number, ending)) for user in users for number in range(CLIENTS)]
    try:
        yield
    finally:
        ending.set()
        await asyncio.gather(*tasks)


async def inflict(on: Stage, store: Store, service: Service, relay: Relay) -> None:
    """Each fault in turn, with calm between them."""
    with store.client() as redis:
        for command in (("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES"), ("SCRIPT", "FLUSH")):
            redis.execute_command(*command)
            await asyncio.sleep(CALM_SECONDS)
    assert store.process is not None  # noqa: S101 - for mypy
    for send in (partial(os.kill, store.process.pid), partial(on.signal, service)):
        send(signal.SIGSTOP)
        await asyncio.sleep(FAULT_SECONDS)
        send(signal.SIGCONT)
        await asyncio.sleep(CALM_SECONDS)
    for knobs in ({"drops_answers": True}, {"reset_share": 0.1}, {"is_cut": True}):
        relay.spoil(**knobs)
        await asyncio.sleep(FAULT_SECONDS)
        relay.mend()
        await asyncio.sleep(CALM_SECONDS)
    store.kill()
    await asyncio.sleep(FAULT_SECONDS)
    await asyncio.to_thread(store.start)
    await asyncio.sleep(CALM_SECONDS)
    on.kill(service)
    relay.target = (await on.users(store.url, DURABILITY="fsync")).port
    await asyncio.sleep(2 * CALM_SECONDS)


async def play(folder: Path) -> list[Outcome]:
    async with own_store(folder / "store", appendfsync="always") as store, stage(folder) as on, Relay() as relay:
        service = await on.users(store.url, DURABILITY="fsync")
        relay.target = service.port
        gateway = await on.gateway(relay.url)
        users = [User(gateway.port, f"u{number}") for number in range(USERS)]
        for user in users:
            await user.create()
        async with load(users):
            await inflict(on, store, service, relay)
        for kind in ("read", "delete", "read"):
            for user in users:
                await user.step(Client(gateway.port), kind, "")
    return [judged(users)]


def judged(users: list[User]) -> Outcome:
    """The verdict on every history, and on the same histories with a stale read planted: the checker must find it."""
    outcome = Outcome("linearizable histories under faults")
    outcome.require(
        "users whose history no order explains", sum(not explained(user, user.history) for user in users), 0
    )
    outcome.require("planted stale reads that were not found", sum(explained(user, planted(user)) for user in users), 0)
    counted = Counter(each.outcome for user in users for each in user.history)
    outcome.note = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
    return outcome


def explained(user: User, history: list[Operation]) -> bool:
    """An undecided history counts as not explained."""
    try:
        return is_linearizable(history, user.first)
    except UndecidedError:
        return False


def planted(user: User) -> list[Operation]:
    """The history with a last read of a deleted user's first name."""
    last = max(each.end for each in user.history if each.end < math.inf)
    return [*user.history, Operation("read", last + 1, last + 2, "done", user.first)]


DRILL = Drill(
    "linearizable", "concurrent changes of the same users under nine faults, histories checked", play, is_quick=False
)
