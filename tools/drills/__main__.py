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
from tools.drills.catalogue import DRILLS
from tools.drills.outcome import Bound, Drill, Outcome
from tools.run.services import ROOT

DRILL_SECONDS = 240

QUICK_JOBS = 4
"""A drill mostly waits: four at a time fit on two cores."""

REPORTS = ROOT / "build/drills"


def main() -> int:
    names = ", ".join(drill.name for drill in DRILLS)
    parser = argparse.ArgumentParser(prog="python -m tools.drills", description=f"Fault drills: {names}.")
    parser.add_argument("--quick", action="store_true", help="the drills of CI: no root, under 3 minutes in all")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="drills at a time, each under less load; 4 with --quick, else 1"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    wanted = parser.parse_args()
    unknown = set(wanted.names) - {drill.name for drill in DRILLS}
    if unknown:
        parser.error(f"there is no drill {', '.join(sorted(unknown))}; there are {names}")
    drills = [d for d in DRILLS if (d.name in wanted.names or not wanted.names) and (d.is_quick or not wanted.quick)]
    outcomes = run_all(drills, wanted.jobs or (QUICK_JOBS if wanted.quick else 1))
    report.write(outcomes, REPORTS)
    sys.stdout.write(f"\n{report.table(outcomes)}\nTable: {REPORTS.relative_to(ROOT)}/\n")
    return 0 if all(outcome.is_passed for outcome in outcomes) else 1


def run_all(drills: list[Drill], jobs: int) -> list[Outcome]:
    """In order in this process, or several at a time in a process each."""
    if jobs == 1:
        return [outcome for drill in drills for outcome in run(drill)]
    with ProcessPoolExecutor(jobs, initializer=load.share_machine, initargs=(jobs,)) as pool:
        return [outcome for outcomes in pool.map(run, drills) for outcome in outcomes]


def run(drill: Drill) -> list[Outcome]:
    say(f"{drill.name}: {drill.says}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        try:
            outcomes = asyncio.run(bounded(drill, Path(folder)))
        except Exception as error:
            outcomes = [Outcome(drill.name, note=f"{type(error).__name__}: {error}", bounds=[Bound("failures", 1, 0)])]
        if not all(outcome.is_passed for outcome in outcomes):
            keep_logs(Path(folder), REPORTS / "logs" / drill.name)
    say(f"{drill.name}: {time.monotonic() - started:.0f} s\n" + "\n".join(told(outcome) for outcome in outcomes))
    return outcomes


def told(outcome: Outcome) -> str:
    mark = "skipped" if outcome.skipped else "holds" if outcome.is_passed else "MISSED"
    causes = report.causes(outcome)
    return f"  {mark}: {outcome.name}: {report.row(outcome)[-1]}" + (f"\n    bad answers: {causes}" if causes else "")


def keep_logs(folder: Path, kept: Path) -> None:
    for log in [*folder.rglob("*.log"), *folder.rglob("*.err")]:
        place = kept / log.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, place)


async def bounded(drill: Drill, folder: Path) -> list[Outcome]:
    async with asyncio.timeout(DRILL_SECONDS):
        return await drill.play(folder)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
