"""Prints the section of CHANGELOG.md for a tag: release_notes.py v1.2.3.

Fails unless the tag is the version of common/__init__.py and the section is not empty.
Exit codes: 0 printed, 1 not, 2 wrong usage.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAG = re.compile(r"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)")


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Returns the exit code."""
    found = TAG.fullmatch(arguments[0]) if len(arguments) == 1 else None
    if not found:
        sys.stderr.write("error: give one tag, like v1.2.3\n")
        return 2
    try:
        sys.stdout.write(notes(root, found[1]))
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def notes(root: Path, version: str) -> str:
    """The text of a version's section. Raises ValueError if version, changelog and tag disagree."""
    package = (root / "common/__init__.py").read_text(encoding="utf-8")
    stated = re.search(r'^__version__ = "(.+)"$', package, re.MULTILINE)
    if not stated or stated[1] != version:
        raise ValueError(f"the tag says {version}, common/__init__.py {stated[1] if stated else 'nothing'}")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = rf"^## \[{re.escape(version)}\](?: - \d{{4}}-\d\d-\d\d)$\n"
    section = re.search(heading + r"(.*?)(?=^## |^\[[^]]+\]: |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not section or not section[1].strip():
        raise ValueError(f"CHANGELOG.md has no section with a date and something in it for {version}")
    return section[1].strip() + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
