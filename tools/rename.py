"""`python -m tools.rename NAME ORG`, which `make rename NAME=acme ORG=acme-inc` calls: replaces the template's names by
yours.

NAME replaces the project's name (repository, cluster, namespaces, roles, metrics rules, generated clients), ORG the
organisation (GitHub, registry, images). Exit codes: 0 renamed, 1 nothing to rename, 2 wrong usage.
"""

import re
import subprocess
import sys
from pathlib import Path

# In two parts, so that a rename does not change this file.
PROJECT, ORGANISATION = "users" + "-gateway", "devops" + "-challenge"

_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
LONGEST = 30
"""The longest name made of it, a label of Kubernetes, must have at most 63 characters."""


def main(arguments: list[str]) -> int:
    valid = [word for word in arguments if _NAME.fullmatch(word) and len(word) <= LONGEST]
    if len(arguments) != 2 or len(valid) != 2:
        sys.stderr.write(
            "error: give two names of lower-case letters, digits and single hyphens that begin with a letter, at most "
            f"{LONGEST} characters each: make rename NAME=acme ORG=acme-inc\n"
        )
        return 2
    changed = [path for path in tracked() if rewrite(path, *arguments)]
    if not changed:
        sys.stderr.write(f"error: no file contains {PROJECT} or {ORGANISATION}: the project was renamed before\n")
        return 1
    sys.stdout.write(f"renamed in {len(changed)} files; see `git diff`, then run `make check`\n")
    return 0


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := Path(name)).is_file() and not path.is_symlink()]


def rewrite(path: Path, name: str, organisation: str) -> bool:
    """Whether the file contained one of the old names."""
    try:
        old = path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    new = renamed(old, name, organisation)
    if new != old:
        path.write_bytes(new.encode())
    return new != old


def renamed(text: str, name: str, organisation: str) -> str:
    """The text with the new names. A namespace, ORGANISATION-prod, is the project's."""
    text = re.sub(rf"{ORGANISATION}(?=-)", name, text)
    text = text.replace(ORGANISATION, organisation)
    text = re.sub(ORGANISATION, organisation.title(), text, flags=re.IGNORECASE)
    text = text.replace(PROJECT, name).replace(PROJECT.replace("-", "_"), name.replace("-", "_"))
    return text.replace(PROJECT.replace("-", " ").capitalize(), name.replace("-", " ").capitalize())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
