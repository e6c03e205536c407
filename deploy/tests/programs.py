"""The programs that tests of manifests, rules and workflows run."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.programs import unavailable

ROOT = Path(__file__).resolve().parents[2]
PLACES = [Path(sys.executable).parent, ROOT / ".venv/policy/bin", ROOT / "build/validators/bin", *os.get_exec_path()]


def program(name: str) -> str:
    """Its path. Without it the test is skipped; in CI it fails, unless only a Go toolchain could have built it."""
    found = shutil.which(name, path=os.pathsep.join(map(str, PLACES)))
    if found is None:
        reason = f"{name} is not here: .ci/tools or `make verify` installs it"
        if name in built_by_go() and shutil.which("go") is None:
            pytest.skip(reason)
        unavailable(reason)
    return found


def built_by_go() -> set[str]:
    table = tomllib.loads((ROOT / "deploy/bin/validators.toml").read_text(encoding="utf-8"))
    return {Path(each["path"]).name for each in table["module"] if "program" in each}


def run(
    *command: object, folder: Path = ROOT, env: dict[str, str] | None = None, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """The result of a program, the first word, within 120 s."""
    words = [program(str(command[0])), *map(str, command[1:])]
    options: Any = {"cwd": folder, "env": env, "input": text}
    return subprocess.run(words, **options, capture_output=True, text=True, check=False, timeout=120)


def linked(folder: Path, *names: str) -> Path:
    """A folder for PATH that has these programs alone."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def succeeded(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return done
