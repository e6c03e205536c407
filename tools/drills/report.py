"""The table and the charts of a run, in build/drills/."""

from collections import Counter
from html import escape
from pathlib import Path

from tools.drills.outcome import Outcome

HEAD = ("drill", "requests", "bad answers", "longest outage s", "writes acknowledged", "lost", "doubled", "holds")
WIDTH, LANE, MARGIN, BIN = 900, 60, 30, 0.1
NOTABLE_SECONDS = 0.5
GOOD, BAD, FAULT = "#2e7d32", "#c62828", "#455a64"


def row(outcome: Outcome) -> tuple[str, ...]:
    """The line of one drill."""
    if outcome.skipped:
        return (outcome.name, *["–"] * 6, f"skipped: {outcome.skipped}")
    holds = "; ".join(str(bound) if bound.is_met else f"MISSED {bound}" for bound in outcome.bounds)
    holds += f" ({outcome.note})" if outcome.note else ""
    if outcome.ledger is None:
        return (outcome.name, *["–"] * 6, holds)
    if outcome.ledger.stood_still > NOTABLE_SECONDS:
        holds += f" (the machine stood still for {outcome.ledger.stood_still:.1f} s)"
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
    """The Markdown table."""
    lines = [HEAD, ("---",) * len(HEAD), *(row(outcome) for outcome in outcomes)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def causes(outcome: Outcome) -> str:
    """The bad answers by kind, most frequent first."""
    events = outcome.ledger.events if outcome.ledger else []
    counted = Counter((event.method, event.status, event.why) for event in events if not event.is_good)
    return ", ".join(f"{count}x {method} {status} {why}" for (method, status, why), count in counted.most_common(6))


def chart(outcomes: list[Outcome]) -> str:
    """Good and bad answers over time, a lane for each drill, as SVG."""
    shown = [outcome for outcome in outcomes if outcome.ledger and outcome.ledger.events]
    parts = [lane(outcome, MARGIN + index * (LANE + MARGIN)) for index, outcome in enumerate(shown)]
    height = MARGIN + len(shown) * (LANE + MARGIN)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">'
    return head + '<rect width="100%" height="100%" fill="#fff"/>' + "".join(parts) + "</svg>\n"


def lane(outcome: Outcome, top: float) -> str:
    """The answers per second of one drill: good ones, bad ones on top, and the faults."""
    assert outcome.ledger is not None  # noqa: S101 - for mypy
    start = outcome.ledger.started
    good, bad = Counter[int](), Counter[int]()
    for event in outcome.ledger.events:
        (good if event.is_good else bad)[int((event.at - start) / BIN)] += 1
    bins = max([*good, *bad]) + 1
    highest = max(good[i] + bad[i] for i in range(bins))
    step, unit, floor = (WIDTH - 2 * MARGIN) / bins, (LANE - 14) / highest, top + LANE
    bars = [
        f'<rect x="{MARGIN + i * step:.1f}" y="{floor - offset:.1f}" width="{step:.2f}" height="{count * unit:.1f}" fill="{c}"/>'  # noqa: E501
        for i in range(bins)
        for count, offset, c in ((good[i], good[i] * unit, GOOD), (bad[i], (good[i] + bad[i]) * unit, BAD))
        if count
    ]
    marks = []
    for at, what in outcome.faults:
        x = MARGIN + (at - start) / BIN * step
        marks.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{floor}" stroke="{FAULT}" stroke-dasharray="2"/>')
        marks.append(f'<text x="{x + 2:.1f}" y="{top + 10}" fill="{FAULT}">{escape(what)}</text>')
    title = f"{outcome.name}: {bins * BIN:.0f} s, at most {highest / BIN:.0f} answers a second"
    return f'<text x="{MARGIN}" y="{top - 4}">{escape(title)}</text>' + "".join(bars + marks)


def write(outcomes: list[Outcome], folder: Path) -> None:
    """Writes `table.md` and `chart.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(table(outcomes))
    (folder / "chart.svg").write_text(chart(outcomes))
