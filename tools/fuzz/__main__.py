"""`python -m tools.fuzz`: schemathesis against a running pair, each site with its own schema and with all checks.

FUZZ_SECONDS: seconds for each site (60). FUZZ_SEED: the seed of a run to repeat (default: random). FUZZ_WORKERS:
concurrent requests (1: only then does a seed reproduce a run). Findings are also in build/fuzz/.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common.config.environment import integer
from tools.processes.pair import pair
from tools.run.services import ROOT

REPORTS = ROOT / "build" / "fuzz"
START_SECONDS = 120
"""The time that a run may take beyond its budget: reading the schema, and one last scenario."""


def main() -> int:
    seconds = integer("FUZZ_SECONDS", 60, minimum=10, maximum=86_400)
    seed = integer("FUZZ_SEED", random.SystemRandom().randrange(2**31), minimum=0, maximum=2**31)
    REPORTS.mkdir(parents=True, exist_ok=True)
    with pair() as (users, gateway):
        failed = [
            fuzz("user-service", f"{users.url}/openapi.json", seconds, seed),
            fuzz("api-gateway", f"{gateway.url}/api/openapi.json", seconds, seed),
        ]
    return 1 if any(failed) else 0


def fuzz(site: str, schema_url: str, seconds: int, seed: int) -> bool:
    """Fuzzes one site; returns whether there were findings. Prints them, and a line with the count, the seed and the time."""
    report = REPORTS / f"{site}.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "tools/fuzz/fuzz.toml", "run", schema_url]
    command += ["--seed", str(seed), "--max-time", str(seconds), "--no-color", "--report-json-path", str(report)]
    command += ["--workers", str(integer("FUZZ_WORKERS", 1, minimum=1, maximum=64))]
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + START_SECONDS, check=False
    )
    took = time.monotonic() - started
    cases = count(report)
    failed = done.returncode != 0 or cases == 0
    if failed:
        sys.stdout.write(done.stdout + done.stderr)
    result = "with findings, see above" if failed else "without a finding"
    sys.stdout.write(f"{site}: {cases} cases {result}, seed {seed}, {took:.0f} s\n")
    return failed


def count(report: Path) -> int:
    """The number of requests of a run; 0 if it ended before its report."""
    if not report.exists():
        return 0
    document: dict[str, Any] = json.loads(report.read_text())
    return int(document["test_cases"]["generated"])


if __name__ == "__main__":
    sys.exit(main())
