"""Fault drills: `python -m tools.drills [--quick] [--jobs N] [NAME…]`. Exit code 1 if a bound is broken.

Loopback only; each drill starts its own processes in a temporary folder.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tools.drills import load, report
from tools.drills.catalogue import DRILLS, QUICK, Play, says
from tools.drills.outcome import Bound, Outcome
from tools.drills.stage import stage
from tools.run.services import ROOT

PLAY_SECONDS = 240

QUICK_JOBS = 4
"""A drill mostly waits: two cores can run four at a time."""

REPORTS = ROOT / "build/drills"


def main() -> int:
    wanted = arguments()
    drills = QUICK if wanted.quick else DRILLS
    names = wanted.names or list(drills)
    outcomes = run_all([name for name in drills if name in names], wanted.jobs or (QUICK_JOBS if wanted.quick else 1))
    report.write(outcomes, REPORTS)
    sys.stdout.write(f"\n{report.table(outcomes)}\nTable: {REPORTS.relative_to(ROOT)}/\n")
    return 0 if all(outcome.is_passed for outcome in outcomes) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.drills",
        description="Starts services, injects faults under load, and checks what clients saw.",
        epilog="drills:\n" + "\n".join(f"  {name:<25}{says(name)}" for name in DRILLS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="the drills of CI: no root, under 3 minutes in all")
    parser.add_argument("--jobs", type=int, metavar="N", help="how many at a time, each under less load")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    wanted = parser.parse_args()
    unknown = set(wanted.names) - set(DRILLS)
    if unknown:
        parser.error(f"there is no drill {', '.join(sorted(unknown))}; there are {', '.join(DRILLS)}")
    return wanted


def run_all(names: list[str], jobs: int) -> list[Outcome]:
    """Runs them in order in this process, or several at a time, each in its own process."""
    plays = [(name, play) for name in names for play in DRILLS[name]]
    if jobs == 1:
        return [outcome for name, play in plays for outcome in run(name, play)]
    with ProcessPoolExecutor(jobs, initializer=load.share_machine, initargs=(jobs,)) as pool:
        running = [pool.submit(run, name, play) for name, play in plays]
        return [outcome for each in running for outcome in each.result()]


def run(name: str, play: Play) -> list[Outcome]:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        try:
            outcomes = asyncio.run(bounded(play, Path(folder)))
        except Exception as error:
            outcomes = [Outcome(name, note=f"{type(error).__name__}: {error}", bounds=[Bound("failures", 1, 0)])]
        if not all(outcome.is_passed for outcome in outcomes):
            keep_logs(Path(folder), REPORTS / "logs" / name)
    lines = [f"{name}: {time.monotonic() - started:.0f} s", *map(report.line, outcomes)]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    return outcomes


async def bounded(play: Play, folder: Path) -> list[Outcome]:
    async with asyncio.timeout(PLAY_SECONDS), stage(folder) as on:
        await play(on)
        return on.outcomes


def keep_logs(folder: Path, kept: Path) -> None:
    for log in [*folder.rglob("*.log"), *folder.rglob("*.err")]:
        place = kept / log.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, place)


if __name__ == "__main__":
    sys.exit(main())
