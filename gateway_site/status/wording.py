"""Formats figures for people."""

NOTHING = "\N{EN DASH}"
"""Shown for a missing figure."""


def rate(value: float) -> str:
    """0.2, 12, 3,400."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def duration(seconds: float) -> str:
    """0.8 ms, 12 ms, 1.5 s."""
    if seconds >= 1:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    milliseconds = seconds * 1000
    return (f"{milliseconds:.0f}" if milliseconds >= 10 else f"{milliseconds:.1f}".removesuffix(".0")) + " ms"


def age(seconds: float) -> str:
    """The two largest units: 12 s, 3 min 4 s, 5 h 6 min, 7 d 8 h."""
    left = int(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(parts)
