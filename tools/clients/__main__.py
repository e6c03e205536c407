"""`python -m tools.clients`, which `make client` calls: writes build/clients/python and build/clients/typescript.

Both are made from docs/openapi/gateway.yaml and checked at once: mypy --strict, tsc --strict. Exit code 1 and a line on
standard error when one cannot be made.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.run.services import ROOT

SCHEMA = ROOT / "docs" / "openapi" / "gateway.yaml"
SOURCES = ROOT / "tools" / "clients"
TARGET = ROOT / "build" / "clients"
PACKAGE = "users_gateway_client"
SECONDS = 300
"""For one step: the slowest is npm's download."""


class NotMadeError(Exception):
    """A step failed; the text says which, and what it said."""


def main() -> int:
    """Both clients; the exit code."""
    try:
        python = make_python(TARGET / "python")
        typescript = make_typescript(TARGET / "typescript")
    except NotMadeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    for made in (python, typescript):
        sys.stdout.write(f"made and checked {made.relative_to(ROOT)}\n")
    return 0


def make_python(folder: Path) -> Path:
    """A package on httpx and attrs. Raises NotMadeError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(SCHEMA)]
    run([*command, "--output-path", str(folder), "--config", str(SOURCES / "python.yaml"), "--fail-on-warning"], ROOT)
    check = SOURCES / "exercise.py"
    run([sys.executable, "-m", "mypy", "--config-file", str(SOURCES / "mypy.ini"), PACKAGE, str(check)], folder)
    return folder


def make_typescript(folder: Path) -> Path:
    """A module on openapi-fetch, and its types. Raises NotMadeError."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotMadeError("npm is not installed, and the TypeScript client needs it: install Node.js 18 or newer")
    shutil.copytree(SOURCES / "typescript", folder, dirs_exist_ok=True)
    run([npm, "ci"], folder)
    options = ["--default-non-nullable=false", "--enum=false"]  # a field with a default may be left out of a request
    run([npm, "exec", "--", "openapi-typescript", str(SCHEMA), "-o", "schema.d.ts", *options], folder)
    run([npm, "exec", "--", "tsc"], folder)
    return folder


def run(command: list[str], folder: Path) -> None:
    """One step. Raises NotMadeError."""
    # The generator calls ruff by its name.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotMadeError(f"{' '.join(command)}: no end after {SECONDS} s") from error
    if done.returncode != 0:
        raise NotMadeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
