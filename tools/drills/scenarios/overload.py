"""Ten times as many clients as MAX_IN_FLIGHT, each of which retries at once when refused."""

import asyncio
import json
import subprocess
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
RISE_SECONDS, SECONDS = 5.0, 2.5
"""Refusals wait up to 4 s: a flood reaches its rate only after that."""
PROBES = ("/health/live", "/health/ready", "/metrics")
PROBE_PAUSE = 0.25


async def play(folder: Path) -> list[Outcome]:
    """Calm and flood in turn; each flood is compared with the calm before and after it: the machine changes."""
    async with own_store(folder / "store") as store, stage(folder) as on:
        _, gateway = await on.pair(store.url, MAX_IN_FLIGHT=str(MAX_IN_FLIGHT))
        outcome = Outcome(f"{TIMES} times the load", on.ledger)
        ids = folder / "ids"
        ids.write_text("\n".join(await users(gateway.port)))
        probing = asyncio.create_task(probe(gateway.port, on.ledger))
        try:
            calm, floods = [await load(gateway.port, CALM, ids)], []
            for _ in range(ROUNDS):
                floods.append(await load(gateway.port, TIMES * MAX_IN_FLIGHT, ids))
                calm.append(await load(gateway.port, CALM, ids))
        finally:
            probing.cancel()
    peaks = [turn["rps"] for turn in calm]
    shares = [2 * turn["rps"] / sum(around) for turn, around in zip(floods, pairwise(peaks), strict=True)]
    outcome.require("% of the peak goodput missing", 100 * max(0.0, 1 - median(shares)), 20)
    outcome.require("s, p99 of what was accepted", median(turn["p99_ms"] for turn in floods) / 1000, 1)
    outcome.require("connections of the flood that were closed", sum(turn["lost"] for turn in floods), 0)
    outcome.require("bad answers to probes and scrapes", outcome.bad, 0)
    good, refused = median(turn["rps"] for turn in floods), median(turn["bad"] for turn in floods) / SECONDS
    clients = TIMES * MAX_IN_FLIGHT
    outcome.note = (
        f"{clients} clients: {good:.0f} answers, {refused:.0f} refusals a second; peak {median(peaks):.0f} with {CALM}"
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


async def load(port: int, connections: int, ids: Path) -> dict[str, float]:
    """Reads without pauses, also after a 503."""
    words = [str(word) for word in (port, "read", connections, SECONDS, ids, "", RISE_SECONDS)]
    command = [sys.executable, "-m", "bench.load", *words]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, stdout=subprocess.PIPE, timeout=60, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


DRILL = Drill("overload", "ten times as many clients as MAX_IN_FLIGHT, without pauses", play, is_quick=False)
