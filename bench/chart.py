"""A result as a picture: CPU per request, a bar a scenario, a colour a process, the floor of a service as a line."""

from html import escape
from typing import Any

COLOURS = {"gateway": "#3b6fb6", "users": "#5aa36a", "redis": "#c2543d", "floor": "#888888"}
WIDTH, LEFT, TOP, ROW = 720, 110, 56, 38


def draw(result: dict[str, Any]) -> str:
    """An SVG of `bench.run`'s result."""
    rows = result["rows"]
    longest = max(row["cpu_us_total"] for row in rows)
    scale = (WIDTH - LEFT - 90) / longest
    floor = next(row["cpu_us_total"] for row in rows if row["scenario"] == "empty")
    height = TOP + ROW * len(rows) + 66
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="16" y="24" font-size="16" font-weight="600">CPU per request, µs, by process</text>',
        f'<text x="16" y="42" fill="#555">{escape(result["when"][:10])}, {escape(result["machine"])}</text>',
    ]
    for index, row in enumerate(rows):
        parts += bar(row, TOP + ROW * index, scale)
    x = LEFT + floor * scale
    bottom = TOP + ROW * len(rows)
    parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#888" stroke-dasharray="4 3"/>')
    for index, (name, colour) in enumerate(COLOURS.items()):
        at = 16 + index * 110
        label = "floors: an empty application, a bare Redis round trip" if name == "floor" else name
        parts.append(f'<rect x="{at}" y="{bottom + 16}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{at + 18}" y="{bottom + 27}">{label}</text>')
    parts.append(f'<text x="16" y="{bottom + 52}" fill="#555">{escape(result["command"])}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def bar(row: dict[str, Any], y: int, scale: float) -> list[str]:
    """One scenario."""
    parts = [f'<text x="{LEFT - 10}" y="{y + 19}" text-anchor="end">{escape(row["scenario"])}</text>']
    x = float(LEFT)
    for name, value in row["cpu_us"].items():
        width = value * scale
        parts.append(f'<rect x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="22" fill="{COLOURS[name]}"/>')
        x += width
    parts.append(f'<text x="{x + 6:.1f}" y="{y + 19}" fill="#333">{row["cpu_us_total"]:.0f}</text>')
    return parts
