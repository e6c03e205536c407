"""The clocks of both services are set back by an hour under load: ids still increase, pages stay in order, Date follows."""

import asyncio
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from time import time

from tools.drills.clock import Clock
from tools.drills.http_client import Client
from tools.drills.stage import Stage
from tools.processes.service import Service

STEP = -3600
CREATED = 25


async def step_back(on: Stage) -> None:
    """The clocks of both services jump an hour back under load."""
    clock, store = Clock(on.folder / "clock"), await on.store()
    users, gateway = await on.pair(store.url, **clock.settings)
    async with on.loaded("clocks of both services set back by an hour", gateway.port) as outcome:
        await asyncio.sleep(1)
        with closing(Client(gateway.port)) as client:
            made = [await create(client, f"before-{number}") for number in range(CREATED)]
            clock.step(STEP)
            made += [await create(client, f"after-{number}") for number in range(CREATED)]
            await asyncio.sleep(2)
            listed = [user["id"] for user in await client.users() if user["id"] in made]
        late = max([off for service in (users, gateway) for off in await seconds_off(service)])
    unordered = sum(a != b for a, b in zip(listed, reversed(made), strict=False)) + abs(len(made) - len(listed))
    outcome.require("bad answers", outcome.bad, 0)
    outcome.require("ids that do not increase", sum(a >= b for a, b in pairwise(made)), 0)
    outcome.require("users out of the order of their creation", unordered, 0)
    outcome.require("s between Date or timestamp and the clock", late, 3)


async def create(client: Client, name: str) -> str:
    return str((await client.create(name)).json()["id"])


async def seconds_off(service: Service) -> list[float]:
    """How far Date and the timestamp of `/health` are from the clock of the service."""
    with closing(Client(service.port)) as client:
        answer = await client.ask("GET", "/health")
    shown = parsedate_to_datetime(answer.headers["date"]), datetime.fromisoformat(answer.json()["timestamp"])
    return [abs(each.timestamp() - time() - STEP) for each in shown]
