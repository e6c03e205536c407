"""Seed, export, restore into an empty store, compare, verify."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tools.drills.stage import Stage
from tools.processes.store import store
from tools.run.services import ROOT, environment

USERS = 100_000
STEP_SECONDS = 600


class StepError(Exception):
    """A command failed, or restored other users than it should."""


async def play(on: Stage) -> None:
    """100,000 users are exported, restored into an empty store, compared and verified."""
    digest = await asyncio.to_thread(restore, USERS, on.folder)
    outcome = on.outcome("restore from a backup")
    outcome.note = f"{USERS:,} users, every byte: sha256 {digest[:12]}…"
    outcome.require("users missing or changed", 0, 0)


def restore(count: int, folder: Path) -> str:
    """Returns the digest of both stores. Raises StepError."""
    backup = str(folder / "users.ndjson.gz")
    for name in ("full", "restored"):
        (folder / name).mkdir()
    with store(folder / "full") as source, store(folder / "restored") as target:
        step("seed", source.url, "seed_users", "--count", str(count))
        exported = step("export", source.url, "export_users", backup, "--format", "json")
        imported = step("import", target.url, "import_users", backup, "--format", "json")
        again = step("export", target.url, "export_users", f"{folder / 'again'}", "--format", "json")
        for name, url in (("full", source.url), ("restored", target.url)):
            records = step(f"verify {name}", url, "verify_users", "--format", "json")["checked"]["records"]
            if records != count:
                raise StepError(f"the {name} store has {records} records")
    if not exported["count"] == imported["created"] == count:
        raise StepError(f"{imported['created']} of {count} users were restored")
    if not exported["sha256"] == imported["sha256"] == again["sha256"]:
        raise StepError("the restored users are not the exported ones")
    return str(exported["sha256"])


def step(name: str, url: str, *command: str, **settings: str) -> dict[str, Any]:
    """One management command on one store; returns its JSON output, if any. Raises StepError."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "manage_users.py", *command],
        cwd=ROOT,
        env=environment("users_site", 3001, REDIS_URL=url, DEBUG="false", **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    last_line = done.stderr.strip().splitlines()[-1]
    if done.returncode:
        raise StepError(f"{name}: {last_line}")
    sys.stdout.write(f"{name:<16} {time.monotonic() - started:6.1f} s  {last_line}\n")
    sys.stdout.flush()
    result: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return result
