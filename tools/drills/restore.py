"""The restore drill: seed, export, restore into an empty store, compare, verify. `-m tools.drills.restore [COUNT]`.

On two stores of its own in a temporary folder. Exits 1 if a step fails, or if a restored byte differs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common.cli.console import whole
from tools.processes.store import store
from tools.run.services import ROOT, environment

USERS = 100_000
STEP_SECONDS = 600


class DrillError(Exception):
    """A step of the drill failed."""


def main() -> int:
    """Runs the drill; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="tools.drills.restore", description="Practises a restore, on stores of its own."
    )
    parser.add_argument(
        "count", nargs="?", type=whole(1, 10_000_000), default=USERS, help=f"users (default: {USERS:,})"
    )
    count = parser.parse_args().count
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="restore-drill-") as folder:
            digest = drill(count, Path(folder))
    except (DrillError, RuntimeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    _say(f"restored: {count:,} users, every byte (sha256 {digest}), in {time.monotonic() - started:.1f} s")
    return 0


def drill(count: int, folder: Path) -> str:
    """Returns the digest of both stores. Raises DrillError."""
    backup = str(folder / "users.ndjson.gz")
    for name in ("full", "restored"):
        (folder / name).mkdir()
    with store(folder / "full") as source, store(folder / "restored") as target:
        full, restored = source.url, target.url
        step("seed", full, "seed_users", "--count", str(count))
        exported = step("export", full, "export_users", backup, "--format", "json")
        imported = step("import", restored, "import_users", backup, "--format", "json")
        again = step("export", restored, "export_users", f"{folder / 'again'}", "--format", "json")
        for name, url in (("full", full), ("restored", restored)):
            found = step(f"verify {name}", url, "verify_users", "--format", "json")
            _require(
                found["checked"]["records"] == count, f"the {name} store has {found['checked']['records']} records"
            )
    _require(exported["count"] == imported["created"] == count, f"{imported['created']} of {count} users were restored")
    _require(
        exported["sha256"] == imported["sha256"] == again["sha256"], "the restored users are not the exported ones"
    )
    return str(exported["sha256"])


def step(name: str, url: str, *command: str, **settings: str) -> dict[str, Any]:
    """One management command on one store; returns its JSON output, if any. Raises DrillError."""
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
    if done.returncode:
        raise DrillError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    _say(f"{name:<16} {time.monotonic() - started:6.1f} s  {done.stderr.strip().splitlines()[-1]}")
    result: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return result


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise DrillError(text)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
