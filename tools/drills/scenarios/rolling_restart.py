"""A rolling restart replaces every replica of a service under load."""

import asyncio
from pathlib import Path

from tools.drills.balancer import Balancer
from tools.drills.load import load
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage

REPLICAS = 3
DRAIN_SECONDS = "1"


async def users_site(folder: Path) -> list[Outcome]:
    return [await roll(folder, "users_site")]


async def gateway_site(folder: Path) -> list[Outcome]:
    return [await roll(folder, "gateway_site")]


async def roll(folder: Path, site: str) -> Outcome:
    async with own_store(folder / "store") as store, stage(folder) as on, Balancer() as behind, Balancer() as front:
        settings = {"DRAIN_SECONDS": DRAIN_SECONDS}
        is_users = site == "users_site"
        users = await on.replicas(behind, "users_site", store.url, REPLICAS if is_users else 1, **settings)
        gateways = await on.replicas(front, "gateway_site", behind.url, 1 if is_users else REPLICAS, **settings)
        outcome = Outcome(f"rolling restart of {'user-service' if is_users else 'api-gateway'}", on.ledger)
        balancer, url, old = (behind, store.url, users) if is_users else (front, behind.url, gateways)
        async with load(front.port, on.ledger):
            await asyncio.sleep(1)
            for service in old:
                await on.replicas(balancer, site, url, 1, **settings)
                await on.stop(service)
                balancer.remove(service.port)
            await asyncio.sleep(1)
        await outcome.verify(front.port)
        outcome.require("bad answers", outcome.bad, 0)
        outcome.require("exit codes other than 0", sum(code != 0 for code in on.exits), 0)
        return outcome


USERS = Drill("rolling-restart-users", "each of 3 replicas of the user service replaced under load", users_site)
GATEWAY = Drill("rolling-restart-gateway", "each of 3 replicas of the gateway replaced under load", gateway_site)
