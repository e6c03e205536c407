"""Mermaid charts of the figures of `bench.scale --results FILE`, as ratios to one partition, on the most
primaries: `python -m bench.curves FILE`."""

import json
import sys

from bench.model import Figures, results

COLOURS = {"orange": "#d55e00", "blue": "#0072b2", "green": "#009e73", "pink": "#cc79a7"}
CHARTS = (("pages", "first page"), ("read", "find", "create", "change"))


def chart(figures: Figures, names: tuple[str, ...]) -> str:
    curves = [[figures.of(name, count) / figures.of(name, 1) for count in figures.partitions] for name in names]
    palette = ", ".join([*COLOURS.values()][: len(names)])
    title = ", ".join(f"{name} ({colour})" for name, colour in zip(names, COLOURS, strict=False))
    lines = [
        f'%%{{init: {{"themeVariables": {{"xyChart": {{"plotColorPalette": "{palette}"}}}}}}}}%%',
        "xychart-beta",
        f'    title "{title}"',
        f'    x-axis "partitions" {json.dumps([*map(str, figures.partitions)])}',
        f'    y-axis "CPU, ratio to one partition" 0 --> {max(2, *map(max, curves)):.1f}',
        *("    line [" + ", ".join(f"{ratio:.2f}" for ratio in curve) + "]" for curve in curves),
    ]
    return "\n".join(["```mermaid", *lines, "```"]) + "\n"


def main() -> None:
    figures = Figures(results(__doc__), max)
    sys.stdout.write("\n".join(chart(figures, names) for names in CHARTS))


if __name__ == "__main__":
    main()
