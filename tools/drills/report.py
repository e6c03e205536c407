"""The table of a run, in build/drills/."""

from collections import Counter
from pathlib import Path

from tools.drills.outcome import Outcome

HEAD = ("drill", "requests", "bad answers", "longest outage s", "writes acknowledged", "lost", "doubled", "holds")
NOTABLE_SECONDS = 0.5


def row(outcome: Outcome) -> tuple[str, ...]:
    if outcome.skipped:
        return (outcome.name, *["–"] * 6, f"skipped: {outcome.skipped}")
    holds = "; ".join(str(bound) if bound.is_met else f"MISSED {bound}" for bound in outcome.bounds)
    holds += f" ({outcome.note})" if outcome.note else ""
    if not outcome.ledger.events:
        return (outcome.name, *["–"] * 6, holds)
    if outcome.ledger.stalled > NOTABLE_SECONDS:
        holds += f" (the machine stalled for {outcome.ledger.stalled:.1f} s)"
    return (
        outcome.name,
        str(len(outcome.ledger.events)),
        str(outcome.bad),
        f"{outcome.outage():.2f}",
        str(outcome.ledger.acknowledged),
        str(outcome.lost),
        str(outcome.doubled),
        holds,
    )


def table(outcomes: list[Outcome]) -> str:
    lines = [HEAD, ("---",) * len(HEAD), *(row(outcome) for outcome in outcomes)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def causes(outcome: Outcome) -> str:
    events = outcome.ledger.events
    counted = Counter((event.method, event.status, event.why) for event in events if not event.is_good)
    return ", ".join(f"{count}x {method} {status} {why}" for (method, status, why), count in counted.most_common(6))


def line(outcome: Outcome) -> str:
    mark = "skipped" if outcome.skipped else "holds" if outcome.is_passed else "MISSED"
    bad = causes(outcome)
    return f"  {mark}: {outcome.name}: {row(outcome)[-1]}" + (f"\n    bad answers: {bad}" if bad else "")


def write(outcomes: list[Outcome], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(table(outcomes))
