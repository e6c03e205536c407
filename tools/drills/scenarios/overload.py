"""Ten times as many clients as MAX_IN_FLIGHT, each of which retries at once when refused."""

import asyncio
import json
import sys
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic

import orjson

from tools.drills.http_client import Broken, Client
from tools.drills.ledger import Ledger
from tools.drills.outcome import Drill, Outcome
from tools.drills.stage import own_store, stage
from tools.run.services import ROOT

MAX_IN_FLIGHT = 128
"""The services' default, set for both."""

CALM, TIMES, ROUNDS, USERS = 32, 10, 3, 50
FLOOD_SECONDS = 90
PROBES = ("/health/live", "/health/ready", "/metrics")
PROBE_PAUSE = 0.25


async def play(folder: Path) -> list[Outcome]:
    """Calm and flood in turn; each flood is compared with the calm before and after it: the machine changes."""
    async with own_store(folder / "store") as store, stage(folder) as on:
        _, gateway = await on.pair(store.url, MAX_IN_FLIGHT=str(MAX_IN_FLIGHT))
        outcome = Outcome(f"{TIMES} times the load", on.ledger)
        ids = await users(gateway.port)
        probing = asyncio.create_task(probe(gateway.port, on.ledger))
        try:
            found = await flooded(gateway.port, ids)
        finally:
            probing.cancel()
    flood, peaks = found[1::2], [turn["goodput"] for turn in found[::2]]
    shares = [2 * turn["goodput"] / sum(around) for turn, around in zip(flood, pairwise(peaks), strict=True)]
    outcome.require("% of the peak goodput missing", 100 * max(0.0, 1 - median(shares)), 20)
    outcome.require("s, p99 of what was accepted", median(turn["p99"] for turn in flood), 1)
    # Idle connections are closed after 10 s: those closed before the first flood do not count.
    outcome.require("connections of the flood that were closed", found[-1]["lost"], 0)
    outcome.require("bad answers to probes and scrapes", outcome.bad, 0)
    goodput, refused = (median(turn[what] for turn in flood) for what in ("goodput", "refused"))
    clients, peak = TIMES * MAX_IN_FLIGHT, median(peaks)
    outcome.note = (
        f"{clients} clients: {goodput:.0f} answers, {refused:.0f} refusals a second; peak {peak:.0f} with {CALM}"
    )
    return [outcome]


async def users(port: int) -> list[str]:
    client, ids = Client(port), []
    for number in range(USERS):
        body = orjson.dumps({"name": f"flood-{number}", "email": f"flood-{number}@example.com"})
        ids.append(orjson.loads((await client.ask("POST", "/api/users", body)).body)["id"])
    client.close()
    return ids


async def probe(port: int, ledger: Ledger) -> None:
    """Probes and scrapes, each on a new connection."""
    while True:
        for path in PROBES:
            client, started = Client(port), monotonic()
            try:
                ledger.note("GET", started, await client.ask("GET", path))
            except Broken as error:
                ledger.note("GET", started, None, str(error))
            client.close()
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


DRILL = Drill("overload", "ten times as many clients as MAX_IN_FLIGHT, without pauses", play, is_quick=False)
