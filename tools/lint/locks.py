"""`python -m tools.lint.locks`: whether the locks match their inputs, offline. `make lock` writes them.

uv notes the origin of each pin (`via -r requirements.in`), so a name that was added to an input, removed from it, or
changed in version is found without an index.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAMES = (
    "requirements",
    "requirements-run",
    "requirements-dev",
    "requirements-verify",
    "requirements-policy",
    "requirements-docs",
)

_PIN = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^]]*\])?==(?P<version>\S+)(?P<rest>.*\n(?:[ ]{4}.*\n?)*)", re.MULTILINE)


def main() -> int:
    findings = [finding for name in NAMES for finding in stale(Path(f"{name}.in"), Path(f"{name}.txt"))]
    for finding in findings:
        sys.stderr.write(f"{finding}: run `make lock`\n")
    return 1 if findings else 0


def stale(asked: Path, lock: Path) -> Iterator[str]:
    pins = _pins(lock)
    wanted, included = _requirements(asked)
    asked_by = re.compile(rf"-r {re.escape(asked.name)}$", re.MULTILINE)
    direct = {name for name, pin in pins.items() if asked_by.search(pin["rest"])}
    for name in sorted(wanted.keys() | direct):
        if name not in pins:
            yield f"{lock} has no {name}, which {asked} asks for"
        elif name not in wanted:
            yield f"{lock} has {name}, which {asked} does not ask for"
        elif not wanted[name].specifier.contains(pins[name]["version"], prereleases=True):
            yield f"{lock} has {name} {pins[name]['version']}, and {asked} asks for {wanted[name]}"
    for other in included:
        for name, pin in _pins(other).items():
            if name not in pins or pins[name]["version"] != pin["version"]:
                yield f"{lock} has another {name} than {other}"
    for name, pin in pins.items():
        if "--hash=" not in pin["rest"]:
            yield f"{lock} has {name} without a hash"


def _pins(lock: Path) -> dict[str, re.Match[str]]:
    return {canonicalize_name(pin["name"]): pin for pin in _PIN.finditer(lock.read_text())}


def _requirements(asked: Path) -> tuple[dict[str, Requirement], list[Path]]:
    """The requirements of an input by name, and the locks that it includes."""
    lines = [line.split("#")[0].strip() for line in asked.read_text().splitlines()]
    named = [Requirement(line) for line in lines if line and not line.startswith("-r ")]
    included = [asked.parent / line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    return {canonicalize_name(requirement.name): requirement for requirement in named}, included


if __name__ == "__main__":
    sys.exit(main())
