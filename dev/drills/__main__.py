"""Fault drills: `python -m dev.drills [--quick] [NAME…]`. Exit code 1 if a figure that must hold does not.

Loopback only; each drill starts processes of its own in a temporary folder, and ends them by their ids.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from dev.drills import report
from dev.drills.catalogue import DRILLS
from dev.drills.drill import Drill
from dev.drills.outcome import Bound, Outcome
from dev.services import ROOT

DRILL_SECONDS = 240
"""No drill takes longer."""

REPORTS = ROOT / "build/drills"


def main() -> int:
    """The command line."""
    names = ", ".join(drill.name for drill in DRILLS)
    parser = argparse.ArgumentParser(prog="python -m dev.drills", description=f"Fault drills: {names}.")
    parser.add_argument("--quick", action="store_true", help="those that CI runs: no root, under 3 minutes in all")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    wanted = parser.parse_args()
    unknown = set(wanted.names) - {drill.name for drill in DRILLS}
    if unknown:
        parser.error(f"there is no drill {', '.join(sorted(unknown))}; there are {names}")
    drills = [d for d in DRILLS if (d.name in wanted.names or not wanted.names) and (d.is_quick or not wanted.quick)]
    outcomes = [outcome for drill in drills for outcome in run(drill)]
    report.write(outcomes, REPORTS)
    sys.stdout.write(f"\n{report.table(outcomes)}\nTable and chart: {REPORTS.relative_to(ROOT)}/\n")
    return 0 if all(outcome.is_passed for outcome in outcomes) else 1


def run(drill: Drill) -> list[Outcome]:
    """One drill, told as it goes."""
    say(f"{drill.name}: {drill.says}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        try:
            outcomes = asyncio.run(bounded(drill, Path(folder)))
        except Exception as error:
            outcomes = [Outcome(drill.name, note=f"{type(error).__name__}: {error}", bounds=[Bound("failures", 1, 0)])]
    for outcome in outcomes:
        mark = "skipped" if outcome.skipped else "holds" if outcome.is_passed else "MISSED"
        say(f"  {mark}: {outcome.name}: {report.row(outcome)[-1]}")
        if causes := report.causes(outcome):
            say(f"    bad answers: {causes}")
    say(f"  {time.monotonic() - started:.0f} s")
    return outcomes


async def bounded(drill: Drill, folder: Path) -> list[Outcome]:
    """The drill, given up when it takes too long."""
    async with asyncio.timeout(DRILL_SECONDS):
        return await drill.play(folder)


def say(text: str) -> None:
    """A line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
