"""`make bench`: CPU per request by process, latency, memory, each beside a floor of the same run; a table, JSON, a chart.

python -m bench.run [--seconds 5] [--rounds 3] [--connections 32] [--users 1000]
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import chart, processes
from common.tests.service import free_port

SCENARIOS = ("read", "list", "create", "mixed", "direct-read")
RESULTS = processes.ROOT / "bench/results"


def measure(scenario: str, port: int, running: dict[str, processes.Process], args: Any, ids: Path) -> dict[str, Any]:
    """One load; CPU in µs a request for each process."""
    command = [sys.executable, "-m", "bench.load", str(port), scenario, str(args.connections)]
    subprocess.run([*command, "1", str(ids)], check=True, cwd=processes.ROOT, stdout=subprocess.DEVNULL, timeout=60)
    before = {name: processes.cpu_seconds(process.pid) for name, process in running.items()}
    out = subprocess.run(
        [*command, str(args.seconds), str(ids)],
        check=True,
        cwd=processes.ROOT,
        stdout=subprocess.PIPE,
        timeout=args.seconds + 60,
    )
    outcome: dict[str, Any] = json.loads(out.stdout)
    outcome["cpu_us"] = {
        name: round((processes.cpu_seconds(process.pid) - before[name]) / outcome["requests"] * 1e6, 1)
        for name, process in running.items()
    }
    return outcome


def one_round(args: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Every scenario once, on processes started for it."""
    ports = {name: free_port() for name in ("redis", "users", "gateway", "floor")}
    url = f"redis://:{processes.PASSWORD}@127.0.0.1:{ports['redis']}/0"
    running: dict[str, processes.Process] = {}
    outcomes: dict[str, dict[str, Any]] = {}
    try:
        running["redis"] = processes.store(ports["redis"], folder)
        running["users"] = processes.service("users", ports["users"], folder, REDIS_URL=url)
        upstream = f"http://127.0.0.1:{ports['users']}"
        running["gateway"] = processes.service("gateway", ports["gateway"], folder, USER_SERVICE_URL=upstream)
        ids = seed(args.users, url, folder)
        for scenario in SCENARIOS:
            port = ports["users" if scenario.startswith("direct-") else "gateway"]
            outcomes[scenario] = measure(scenario, port, running, args, ids)
        memory = {name: processes.memory_mib(process.pid) for name, process in running.items()}
        floor = {"floor": processes.floor(ports["floor"], folder)}
        running |= floor
        outcomes["floor"] = measure("empty", ports["floor"], floor, args, ids)
        outcomes["memory_mib"] = memory
    finally:
        for process in reversed(running.values()):
            process.stop()
    return outcomes


def seed(count: int, url: str, folder: Path) -> Path:
    """Seeds the store; the file of ids."""
    target = json.loads((processes.ROOT / "bench/target.json").read_text())["seed_cmd"]
    command = [sys.executable, *(word.replace("{count}", str(count)) for word in target["cmd"][1:])]
    ids = folder / "ids.txt"
    with ids.open("wb") as out:
        subprocess.run(command, cwd=processes.ROOT, env={**target["env"], "REDIS_URL": url}, stdout=out, check=True)
    return ids


def median(rounds: list[dict[str, Any]], scenario: str, *path: str) -> float:
    """The median over the rounds of one figure."""
    values = []
    for outcome in rounds:
        value = outcome[scenario]
        for name in path:
            value = value[name]
        values.append(value)
    return round(statistics.median(values), 2)


def table(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a scenario, medians over the rounds."""
    rows = []
    for scenario in (*SCENARIOS, "floor"):
        parts = {name: median(rounds, scenario, "cpu_us", name) for name in rounds[0][scenario]["cpu_us"]}
        row = {name: median(rounds, scenario, name) for name in ("rps", "p50_ms", "p90_ms", "p99_ms", "bad")}
        rows.append({"scenario": scenario, **row, "cpu_us": parts, "cpu_us_total": round(sum(parts.values()), 1)})
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--users", type=int, default=1000)
    args = parser.parse_args()
    rounds = []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(one_round(args, Path(folder)))
    now = datetime.now(UTC)
    result = {
        "when": now.isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {platform.system()}",
        "command": f"python -m bench.run {' '.join(sys.argv[1:])}".strip(),
        "rows": table(rounds),
        "memory_mib": {name: median(rounds, "memory_mib", name) for name in rounds[0]["memory_mib"]},
    }
    RESULTS.mkdir(exist_ok=True)
    stem = RESULTS / now.strftime("%Y-%m-%d")
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    stem.with_suffix(".svg").write_text(chart.draw(result))
    for row in result["rows"]:
        parts = ", ".join(f"{name} {value:.0f}" for name, value in row["cpu_us"].items())
        sys.stdout.write(
            f"{row['scenario']:<12} {row['rps']:>6.0f} req/s  p50 {row['p50_ms']:.2f}  p99 {row['p99_ms']:.2f} ms  "
            f"bad {row['bad']:.0f}  CPU {row['cpu_us_total']:.0f} µs ({parts})\n"
        )
    sys.stdout.write(f"memory (PSS) MiB: {result['memory_mib']}\nwritten: {stem}.json, {stem}.svg\n")


if __name__ == "__main__":
    main()
