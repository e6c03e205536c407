"""`kill -9` of one replica under load: only its requests in flight may fail, and reads may not."""

import asyncio
from pathlib import Path

from tools.drills.balancer import Balancer
from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage

REPLICAS = 3


async def play(folder: Path) -> list[Outcome]:
    """One replica of the user service, where the gateway retries reads; one of the gateway, where the clients do."""
    return [await kill(folder / site, site) for site in ("users_site", "gateway_site")]


async def kill(folder: Path, site: str) -> Outcome:
    is_users = site == "users_site"
    async with own_store(folder / "store") as store, stage(folder) as on, Balancer() as behind, Balancer() as front:
        users = await on.replicas(behind, "users_site", store.url, REPLICAS if is_users else 1)
        gateways = await on.replicas(front, "gateway_site", behind.url, 1 if is_users else REPLICAS)
        outcome = Outcome(f"kill -9 of one {'user-service' if is_users else 'api-gateway'}", on.ledger)
        async with load(front.port, on.ledger, clients=32, pause=0.005, retries_reads=not is_users):
            await asyncio.sleep(2)
            on.kill((users if is_users else gateways)[0])
            await asyncio.sleep(3)
        await outcome.verify(front.port)
        outcome.require("bad GETs", outcome.bad_reads, 0)
        outcome.require("bad answers, at most one a client", outcome.bad, 32)
        outcome.note = "" if is_users else "clients retry a GET on a broken connection, as HTTP libraries do"
        return outcome


DRILL = Drill("replica-killed", "kill -9 of one of 3 replicas under load, of each service", play)
