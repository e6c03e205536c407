"""Clients that record their requests for shared users and emails, for the checker in `register`."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Literal

import orjson

from tools.drills.http_client import Answer, Broken, Client
from tools.drills.register import Claim, Operation, Outcome, Step, UndecidedError, is_linearizable

USERS, CLIENTS, EMAILS, CONTENDERS = 8, 3, 3, 6
PAUSE_SECONDS = 0.1
OUTCOMES: dict[int, Outcome] = {200: "done", 204: "done", 404: "absent", 409: "failed", 412: "failed"}


class Asked:
    """One request: `outcome` is None if it had no effect and shows nothing."""

    def __init__(self, started: float, answer: Answer | None) -> None:
        self.started, self.ended, self.answer = started, monotonic(), answer
        self.outcome: Outcome | None = None if answer is None else OUTCOMES.get(answer.status)
        if answer is None or answer.is_uncertain:
            self.outcome, self.ended = "unknown", math.inf

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = self.answer.json() if self.answer and self.answer.status == 200 else {}
        return found


async def ask(client: Client, method: str, path: str, change: object = None, **headers: str) -> Asked:
    started = monotonic()
    try:
        answer = await client.ask(method, path, orjson.dumps(change) if change else b"", **headers)
    except Broken:
        return Asked(started, None)
    return Asked(started, answer)


class User:
    """One user that several clients change, and the history of what they saw."""

    def __init__(self, port: int, name: str) -> None:
        self.port, self.first = port, name
        self.history: list[Operation] = []
        self.tags: dict[str, str] = {}
        """The ETag of each name that was read or written."""

    async def create(self) -> None:
        answer = await Client(self.port).create(self.first)
        self.path = f"/api/users/{answer.json()['id']}"
        self.tags[self.first] = answer.headers["etag"]

    async def use(self, number: int, ending: asyncio.Event) -> None:
        client, count = Client(self.port), 0
        while not ending.is_set():
            count += 1
            if random.random() < 0.45:
                await self.read(client)
            else:
                expected = random.choice([None, random.choice(list(self.tags)[-3:])])
                await self.write(client, f"{self.first}-{number}-{count}", expected)
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
        client.close()

    async def read(self, client: Client) -> None:
        self.record("read", await ask(client, "GET", self.path), "", None)

    async def write(self, client: Client, name: str, expected: str | None) -> None:
        condition = {"If_Match": self.tags[expected]} if expected else {}
        self.record("write", await ask(client, "PATCH", self.path, {"name": name}, **condition), name, expected)

    async def delete(self, client: Client) -> None:
        self.record("delete", await ask(client, "DELETE", self.path), "", None)

    def record(self, kind: Literal["read", "write", "delete"], asked: Asked, name: str, expected: str | None) -> None:
        if asked.document and asked.answer:
            name = asked.document["name"]
            self.tags[name] = asked.answer.headers["etag"]
        if asked.outcome and not (kind == "read" and asked.outcome == "unknown"):
            self.history.append(Operation(kind, asked.started, asked.ended, asked.outcome, name, expected))

    def planted(self) -> list[Operation]:
        """The history with a read of the first name after an acknowledged write."""
        written = min(each.end for each in self.history if each.kind == "write" and each.outcome == "done")
        return [*self.history, Operation("read", written + 1e-6, written + 2e-6, "done", self.first)]


class Contest:
    """Emails for which users compete; `histories` has the claims on each."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.histories: dict[str, list[Claim]] = {f"prize-{number}@example.com": [] for number in range(EMAILS)}

    async def create(self) -> None:
        answers = [await Client(self.port).create(f"contender-{number}") for number in range(CONTENDERS)]
        self.contenders = [answer.json() for answer in answers]

    async def use(self, contender: dict[str, str], ending: asyncio.Event) -> None:
        """Takes an email; since a user has one email, that releases the previous one."""
        client, path = Client(self.port), f"/api/users/{contender['id']}"
        while not ending.is_set():
            prize = random.choice(list(self.histories))
            await self.find(client, prize)
            self.record(contender["id"], prize, await ask(client, "PATCH", path, {"email": prize}))
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
            self.record(contender["id"], "", await ask(client, "PATCH", path, {"email": contender["email"]}))
            await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))
        client.close()

    async def find(self, client: Client, prize: str) -> None:
        asked = await ask(client, "GET", f"/api/users?email={prize}")
        if asked.outcome == "done":
            holder = "".join(user["id"] for user in asked.document["results"])
            claim = Claim("find", asked.started, asked.ended, "done" if holder else "absent", holder)
            self.histories[prize].append(claim)

    def record(self, contender: str, taken: str, asked: Asked) -> None:
        for email, history in self.histories.items():
            if email == taken and asked.outcome:
                history.append(Claim("take", asked.started, asked.ended, asked.outcome, contender))
            elif asked.outcome in {"done", "unknown"}:
                history.append(Claim("release", asked.started, asked.ended, asked.outcome, contender))

    def planted(self) -> list[list[Claim]]:
        """Each history with a first holder, which never releases the email."""
        return [[Claim("take", 0, 0, "done", "stranger"), *history] for history in self.histories.values()]


class Crowd:
    def __init__(self, port: int) -> None:
        self.users, self.contest = [User(port, f"u{number}") for number in range(USERS)], Contest(port)
        self.port = port

    async def create(self) -> None:
        for user in self.users:
            await user.create()
        await self.contest.create()

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """At the end each user is read, deleted and read."""
        ending = asyncio.Event()
        visits = [user.use(number, ending) for user in self.users for number in range(CLIENTS)]
        visits += [self.contest.use(contender, ending) for contender in self.contest.contenders]
        tasks = [asyncio.create_task(visit) for visit in visits]
        try:
            yield
        finally:
            ending.set()
            await asyncio.gather(*tasks)
        client = Client(self.port)
        for user in self.users:
            await user.read(client)
            await user.delete(client)
            await user.read(client)
        for prize in self.contest.histories:
            await self.contest.find(client, prize)

    def judge(self) -> list[tuple[str, bool | None, bool | None]]:
        """For each user and each email: its name, whether its history is linearizable, and whether it is with a planted
        violation; None if the checker could not decide."""
        users = [
            (user.first, verdict(user.history, user.first), verdict(user.planted(), user.first)) for user in self.users
        ]
        emails = zip(self.contest.histories.items(), self.contest.planted(), strict=True)
        return users + [(email, verdict(history, None), verdict(planted, None)) for (email, history), planted in emails]

    def steps(self) -> list[Step]:
        found: list[Step] = [step for user in self.users for step in user.history]
        return found + [step for history in self.contest.histories.values() for step in history]


def verdict(history: Sequence[Step], state: str | None) -> bool | None:
    try:
        return is_linearizable(history, state)
    except UndecidedError:
        return None
