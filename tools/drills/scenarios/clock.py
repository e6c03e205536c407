"""The clocks of both services are set back by an hour under load: ids still increase, pages stay in order, Date follows."""

import asyncio
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from time import time

import orjson

from tools.drills.clock import Clock
from tools.drills.http_client import Client
from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage
from tools.processes.service import Service

STEP = -3600


async def play(folder: Path) -> list[Outcome]:
    clock = Clock(folder / "clock")
    async with own_store(folder / "store") as store, stage(folder) as on:
        users, gateway = await on.pair(store.url, **clock.settings)
        outcome = Outcome("clocks of both services set back by an hour", on.ledger)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(1)
            made = await create(gateway.port, "before")
            clock.step(STEP)
            made += await create(gateway.port, "after")
            await asyncio.sleep(2)
            unordered = await out_of_order(gateway.port, made)
            late = max([off for service in (users, gateway) for off in await seconds_off(service)])
        await outcome.verify(gateway.port)
        outcome.require("bad answers", outcome.bad, 0)
        outcome.require("ids that do not increase", sum(a >= b for a, b in pairwise(made)), 0)
        outcome.require("users out of the order of their creation", unordered, 0)
        outcome.require("s between Date or timestamp and the clock", late, 3)
        return [outcome]


async def create(port: int, when: str) -> list[str]:
    client, made = Client(port), []
    for number in range(25):
        body = orjson.dumps({"name": f"{when}-{number}", "email": f"{when}-{number}@example.com"})
        made.append(orjson.loads((await client.ask("POST", "/api/users", body)).body)["id"])
    client.close()
    return made


async def seconds_off(service: Service) -> list[float]:
    """How far Date and the timestamp of `/health` are from the clock of the service."""
    client = Client(service.port)
    answer = await client.ask("GET", "/health")
    client.close()
    told = parsedate_to_datetime(answer.headers["date"]), datetime.fromisoformat(orjson.loads(answer.body)["timestamp"])
    return [abs(each.timestamp() - time() - STEP) for each in told]


async def out_of_order(port: int, made: list[str]) -> int:
    """The number of these users that are missing or not listed newest first."""
    client, listed, path = Client(port), [], "/api/users?limit=100"
    while path:
        page = orjson.loads((await client.ask("GET", path)).body)
        listed += [user["id"] for user in page["results"] if user["id"] in made]
        path = page["next"] and "/api/users" + page["next"].partition("/api/users")[2]
    client.close()
    wrong: int = sum(a != b for a, b in zip(listed, reversed(made), strict=False)) + abs(len(made) - len(listed))
    return wrong


DRILL = Drill("clock", "the clocks of both services jump an hour back under load", play)
