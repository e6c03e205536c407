"""Both services behind balancers, one of them with three replicas: they are replaced, or one of them is killed."""

import asyncio
from functools import partial
from typing import Any

from tools.drills.balancer import Balancer
from tools.drills.stage import Stage
from tools.processes.service import Service

REPLICAS = 3
NAMES = {"users_site": "user-service", "gateway_site": "api-gateway"}


async def start(on: Stage, site: str, **settings: str) -> tuple[int, Balancer, list[Service]]:
    """The port of the gateway's balancer; the balancer of this site, and its replicas."""
    store = await on.store()
    behind = await on.enter(Balancer(partial(on.users, store.url, **settings)))
    front = await on.enter(Balancer(partial(on.gateway, behind.url, **settings)))
    replicas = {
        name: await balancer.add(REPLICAS if name == site else 1)
        for name, balancer in (("users_site", behind), ("gateway_site", front))
    }
    return front.port, behind if site == "users_site" else front, replicas[site]


async def roll(on: Stage, site: str) -> None:
    """Each of 3 replicas of a service is replaced under load."""
    port, balancer, old = await start(on, site, DRAIN_SECONDS="1")
    async with on.loaded(f"rolling restart of {NAMES[site]}", port) as outcome:
        await asyncio.sleep(1)
        for replica in old:
            await balancer.add(1)
            await on.stop(replica)
            balancer.remove(replica)
        await asyncio.sleep(1)
    outcome.require("bad answers", outcome.bad, 0)
    outcome.require("exit codes other than 0", sum(code != 0 for code in on.exits), 0)


async def kill(on: Stage, site: str) -> None:
    """`kill -9` of one of 3 replicas of a service under load.

    Only requests in flight may fail, and reads may not: the gateway retries them, or the clients do.
    """
    port, _, [victim, *_] = await start(on, site)
    is_gateway = site == "gateway_site"
    load: dict[str, Any] = {"clients": 32, "pause": 0.005, "retries_reads": is_gateway}
    async with on.loaded(f"kill -9 of one {NAMES[site]}", port, **load) as outcome:
        await asyncio.sleep(2)
        on.kill(victim)
        await asyncio.sleep(3)
    outcome.require("bad GETs", outcome.bad_reads, 0)
    outcome.require("bad answers, at most one a client", outcome.bad, 32)
    outcome.note = "clients retry a GET on a broken connection, as HTTP libraries do" if is_gateway else ""
