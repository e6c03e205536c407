"""Ten times as many clients as MAX_IN_FLIGHT, each of which retries immediately when refused."""

import asyncio
import json
import sys
from contextlib import closing
from itertools import pairwise
from statistics import median

from tools.drills.http_client import Client
from tools.drills.ledger import Ledger
from tools.drills.load import together
from tools.drills.stage import Stage
from tools.run.services import ROOT

MAX_IN_FLIGHT = 128
"""The services' default, set for both."""

CALM, TIMES, ROUNDS, USERS = 32, 10, 3, 50
FLOOD_SECONDS = 90
PROBES = ("/health/live", "/health/ready", "/metrics")
PROBE_PAUSE = 0.25


async def flood(on: Stage) -> None:
    """Ten times as many clients as MAX_IN_FLIGHT, without pauses.

    Each flood is compared with the calm before and after it: the machine changes.
    """
    store = await on.store()
    _, gateway = await on.pair(store.url, MAX_IN_FLIGHT=str(MAX_IN_FLIGHT))
    outcome = on.outcome(f"{TIMES} times the load")
    with closing(Client(gateway.port)) as client:
        ids = [(await client.create(f"flood-{number}")).json()["id"] for number in range(USERS)]
    async with together([probe(gateway.port, outcome.ledger)]):
        found = await flooded(gateway.port, ids)
    floods, peaks = found[1::2], [turn["goodput"] for turn in found[::2]]
    shares = [2 * turn["goodput"] / sum(around) for turn, around in zip(floods, pairwise(peaks), strict=True)]
    outcome.require("% of the peak goodput missing", 100 * max(0.0, 1 - median(shares)), 20)
    outcome.require("s, p99 of what was accepted", median(turn["p99"] for turn in floods), 1)
    # Idle connections are closed after 10 s: those closed before the first flood do not count.
    outcome.require("connections of the flood that were closed", found[-1]["lost"], 0)
    outcome.require("bad answers to probes and scrapes", outcome.bad, 0)
    goodput, refused = (median(turn[what] for turn in floods) for what in ("goodput", "refused"))
    clients, peak = TIMES * MAX_IN_FLIGHT, median(peaks)
    outcome.note = (
        f"{clients} clients: {goodput:.0f} answers, {refused:.0f} refusals a second; peak {peak:.0f} with {CALM}"
    )


async def probe(port: int, ledger: Ledger) -> None:
    """Probes and scrapes, each on a new connection."""
    while True:
        for path in PROBES:
            with closing(Client(port)) as client:
                await ledger.ask(client, "GET", path)
            await asyncio.sleep(PROBE_PAUSE)


async def flooded(port: int, ids: list[str]) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "tools.drills.flood", str(port), ",".join(ids)]
    command += [str(CALM), str(TIMES * MAX_IN_FLIGHT), str(ROUNDS)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(FLOOD_SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found: list[dict[str, float]] = json.loads(out)
    return found
