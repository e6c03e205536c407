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
