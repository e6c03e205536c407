"""Prints the section of CHANGELOG.md for a tag: release_notes.py v1.2.3.

Fails unless the tag is the version of common/__init__.py and the section is not empty.
Exit codes: 0 printed, 1 not, 2 wrong usage.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAG = re.compile(r"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)")


def main() -> None:
    found = TAG.fullmatch(" ".join(sys.argv[1:]))
    if not found:
        sys.stderr.write("error: give one tag, like v1.2.3\n")
        sys.exit(2)
    sys.stdout.write(notes(found[1]))


def notes(version: str) -> str:
    """The text of a version's section. Exits if version, changelog and tag disagree."""
    stated = re.search(r'^__version__ = "(.+)"$', (ROOT / "common/__init__.py").read_text(), re.MULTILINE)
    if not stated or stated[1] != version:
        sys.exit(f"error: the tag says {version}, common/__init__.py {stated[1] if stated else 'nothing'}")
    heading = rf"^## \[{re.escape(version)}\](?: - \d{{4}}-\d\d-\d\d)$\n"
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(heading + r"(.*?)(?=^## |^\[[^]]+\]: |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not section or not section[1].strip():
        sys.exit(f"error: CHANGELOG.md has no section with a date and something in it for {version}")
    return section[1].strip() + "\n"


if __name__ == "__main__":
    main()
