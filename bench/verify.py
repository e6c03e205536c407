"""What `verify_users` costs those who read: latency of reads through the gateway without it and while it runs, in turns.

python -m bench.verify [--users 200000] [--connections 8] [--seconds 8] [--rounds 3]

Figures of the pair as it ships, on this machine; only the ratio says something: load, services, store and the command
share its cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import processes
from bench.measure import load

PERCENTILES = ("p50_ms", "p90_ms", "p99_ms")
SAMPLE = 5_000
"""How many of the users are read."""


def read_while_verifying(port: int, args: argparse.Namespace, ids: Path, url: str) -> tuple[dict[str, Any], int]:
    """The same load while the command runs over and over; how many runs came to their end."""
    script = 'while "$0" manage_users.py verify_users >/dev/null 2>&1; do echo done; done'
    environment = {**os.environ, "REDIS_URL": url, "DEBUG": "true"}
    pipe = subprocess.PIPE
    loop = subprocess.Popen(
        ["sh", "-c", script, sys.executable],
        cwd=processes.ROOT,
        env=environment,
        stdout=pipe,
        text=True,
        start_new_session=True,
    )
    try:
        time.sleep(2)  # Python and Django have started
        outcome = load("read", port, args.connections, args.seconds, ids)
    finally:
        os.killpg(loop.pid, 15)
    return outcome, loop.communicate(timeout=30)[0].count("done")


def one_round(args: argparse.Namespace, port: int, ids: Path, url: str) -> dict[str, dict[str, Any]]:
    """Without and with."""
    without = load("read", port, args.connections, args.seconds, ids)
    with_it, runs = read_while_verifying(port, args, ids, url)
    line = ", ".join(f"{name} {without[name]} -> {with_it[name]}" for name in (*PERCENTILES, "rps", "bad"))
    sys.stdout.write(f"{line}, {runs} runs ended\n")
    sys.stdout.flush()
    return {"without": without, "with": with_it}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=8, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, processes.pair(Path(folder)) as pair:
        ids = pair.seed(args.users)
        ids.write_text("".join(ids.read_text().splitlines(keepends=True)[:SAMPLE]))
        rounds = [one_round(args, pair.ports["gateway"], ids, pair.redis_url) for _ in range(args.rounds)]
    for percentile in PERCENTILES:
        ratio = statistics.median(each["with"][percentile] / each["without"][percentile] for each in rounds)
        sys.stdout.write(f"{percentile}: x {ratio:.2f}\n")


if __name__ == "__main__":
    main()
