"""`make bench`: CPU per request by process, latency and memory, beside two floors measured in the same run; a table and JSON.

The floors are `empty`, an application that does nothing on the same server, and `redis`, a bare round trip to a store.

python -m bench.run [--seconds 5] [--rounds 3] [--connections 32] [--users 1000] [--results bench/results]
"""

import json
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from bench import processes
from bench.measure import machine, measure, parser
from tools.processes.service import ROOT, free_port
from tools.processes.valkey import valkey

SCENARIOS = ("read", "list", "create", "mixed", "direct-read")
FLOORS = ("empty", "redis")
RESULTS = ROOT / "bench/results"


def one_round(args: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Every scenario once, on processes started for it; then the floors."""
    outcomes: dict[str, dict[str, Any]] = {}
    with processes.pair(folder) as pair:
        ids = pair.seed(args.users)
        for scenario in SCENARIOS:
            port = pair.ports["users" if scenario.startswith("direct-") else "gateway"]
            outcomes[scenario] = measure(scenario, port, pair.running, args, ids)
        outcomes["pss_mib"] = pair.pss_mib()
        with processes.empty(port := free_port()) as pid:
            outcomes["empty"] = measure("empty", port, {"floor": pid}, args, ids)
        with valkey(password="") as store:
            outcomes["redis"] = measure("redis", store.port, {"floor": store.pid}, args, ids)
    return outcomes


def median(rounds: list[dict[str, Any]], scenario: str, *path: str) -> float:
    return float(round(statistics.median(reduce(getitem, path, outcome[scenario]) for outcome in rounds), 2))


def table(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for scenario in (*SCENARIOS, *FLOORS):
        parts = {name: median(rounds, scenario, "cpu_us", name) for name in rounds[0][scenario]["cpu_us"]}
        row = {name: median(rounds, scenario, name) for name in ("rps", "p50_ms", "p90_ms", "p99_ms", "bad")}
        rows.append({"scenario": scenario, **row, "cpu_us": parts, "cpu_us_total": round(sum(parts.values()), 1)})
    return rows


def main() -> None:
    options = parser(__doc__, seconds=5, rounds=3)
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON file")
    args = options.parse_args()
    rounds = []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(one_round(args, Path(folder)))
    now = datetime.now(UTC)
    result: dict[str, Any] = {
        "when": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "command": f"python -m bench.run {' '.join(sys.argv[1:])}".strip(),
        "rows": table(rounds),
        "pss_mib": {name: median(rounds, "pss_mib", name) for name in rounds[0]["pss_mib"]},
    }
    args.results.mkdir(exist_ok=True)
    stem = args.results / now.strftime("%Y-%m-%d")
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    for row in result["rows"]:
        parts = ", ".join(f"{name} {value:.0f}" for name, value in row["cpu_us"].items())
        sys.stdout.write(
            f"{row['scenario']:<12} {row['rps']:>6.0f} req/s  p50 {row['p50_ms']:.2f}  p99 {row['p99_ms']:.2f} ms  "
            f"bad {row['bad']:.0f}  CPU {row['cpu_us_total']:.0f} µs ({parts})\n"
        )
    sys.stdout.write(f"PSS MiB: {result['pss_mib']}\nwritten: {stem}.json\n")


if __name__ == "__main__":
    main()
