"""The user service's clock is set back by an hour under load: ids still increase, pages stay in order."""

import asyncio
from pathlib import Path

import orjson

from tools.drills.drill import Drill
from tools.drills.http_client import Client
from tools.drills.load import load
from tools.drills.outcome import Outcome
from tools.drills.stage import own_store, stage

# Ids, deadlines and logs read `time.time`; setting the clock needs root. Python imports this
# at start.
SITECUSTOMIZE = """
import os, time
_time = time.time
time.time = lambda: _time() - (3600 if os.path.exists(os.environ["CLOCK_SET_BACK"]) else 0)
"""


async def play(folder: Path) -> list[Outcome]:
    patch, switch = folder / "patch", folder / "clock-set-back"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(SITECUSTOMIZE)
    async with own_store(folder / "store") as store, stage(folder) as on:
        users = await on.users(store.url, PYTHONPATH=str(patch), CLOCK_SET_BACK=str(switch))
        gateway = await on.gateway(users.url)
        outcome = Outcome("clock of the user service set back by an hour", on.ledger)
        async with load(gateway.port, on.ledger):
            await asyncio.sleep(1)
            made = await create(gateway.port, "before")
            switch.touch()
            made += await create(gateway.port, "after")
            await asyncio.sleep(2)
            unordered = await out_of_order(gateway.port, made)
        outcome.verdict = await on.ledger.verify(gateway.port)
        outcome.require("bad answers", outcome.bad, 0)
        outcome.require("writes lost or doubled", outcome.lost + outcome.doubled, 0)
        outcome.require("users out of the order of their creation", unordered, 0)
        return [outcome]


async def create(port: int, when: str) -> list[str]:
    client, made = Client(port), []
    for number in range(25):
        body = orjson.dumps({"name": f"{when}-{number}", "email": f"{when}-{number}@example.com"})
        made.append(orjson.loads((await client.ask("POST", "/api/users", body)).body)["id"])
    client.close()
    return made


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


DRILL = Drill("clock", "the user service's clock jumps an hour back under load", play)
