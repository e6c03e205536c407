"""Prints the PSS in MiB of each process while a mixed load runs: memory must not grow.

python -m bench.soak [--requests 1000000] [--samples 5] [--connections 32]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import processes
from bench.measure import load, machine

STEP_SECONDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    args = parser.parse_args()
    sys.stdout.write(f"{machine()}\n{'requests':>10}   PSS MiB\n")
    with tempfile.TemporaryDirectory() as folder, processes.pair(Path(folder)) as pair:
        ids = pair.seed(1000)
        sent = bad = 0
        for sample in range(args.samples + 1):
            while sent < args.requests * sample // args.samples:
                outcome = load("mixed", pair.ports["gateway"], args.connections, STEP_SECONDS, ids)
                sent, bad = sent + outcome["requests"], bad + outcome["bad"]
            sizes = ", ".join(f"{name} {size}" for name, size in pair.pss_mib().items())
            sys.stdout.write(f"{sent:>10,}   {sizes}\n")
            sys.stdout.flush()
    sys.stdout.write(f"bad answers: {bad}\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
