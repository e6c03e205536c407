"""Prints the project's pyproject.toml with its version: cyclonedx-py reads no dynamic one."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = re.search(
        r'^__version__ = "(.+)"$', (ROOT / "common/__init__.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    if not found:
        sys.exit("error: common/__init__.py says no __version__")
    lines = ["[project]", f'name = "{project["name"]}"', f'version = "{found[1]}"']
    lines += [f'description = "{project["description"]}"', f'license = "{project["license"]}"']
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
