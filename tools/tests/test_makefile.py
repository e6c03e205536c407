"""The Makefile in a clone with a space in its path: its help, and one clear line for each missing requirement."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.run.services import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "a clone"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def make(clone: Path, *arguments: str) -> tuple[int, list[str], list[str]]:
    """Exit code, lines on standard output, lines on standard error but make's own."""
    # Not the flags of the `make test` that we may run under.
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    env["PIP_NO_INDEX"] = "1"
    command = ["make", *arguments]
    done = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, timeout=60, check=False)
    own = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    return done.returncode, done.stdout.splitlines(), own


def tracked(pattern: str) -> list[str]:
    """Our own files, and nothing below .venv or build."""
    folders = ("common", "users_contract", "packages", "users_site", "gateway_site", "tools", "deploy", "bench")
    return [str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).rglob(pattern)]


def test_make_alone_lists_every_target(clone):
    code, listed, errors = make(clone)
    assert (code, errors) == (0, [])
    targets = (clone / "Makefile").read_text().split(".PHONY: ")[1].splitlines()[0].split()
    assert [line.split()[1] for line in listed] == targets


def test_old_python_is_one_line(clone):
    old = clone / "python3.10"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (clone / "requirements-run.txt").touch()
    cure = "make run PYTHON=/path/to/python3.11"
    assert make(clone, "run", f"PYTHON={old}") == (
        2,
        [],
        [f"error: Python 3.11 or newer is needed, and {old} is not: {cure}"],
    )


def test_missing_wheel_is_one_line(clone):
    binaries = clone / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    (binaries / "python").chmod(0o755)
    (binaries / "pip").touch()
    (clone / "requirements-run.txt").write_text(f"no-such-package==1 --hash=sha256:{'0' * 64}\n")
    code, _, errors = make(clone, "run")
    assert code == 2
    [error] = errors
    assert error.startswith("error: requirements-run.txt cannot be installed: ERROR: ")
    assert "no-such-package" in error
    assert not (clone / ".venv" / ".requirements-run").exists()


def test_make_verify_runs_every_test_that_make_test_leaves_out():
    makefile = (ROOT / "Makefile").read_text()
    calls = re.findall(r"\$\(call verify,[^)]*\)([^&\n]*)", makefile)
    folders = [word for call in calls for word in call.split() if not word.startswith("-")]
    marked = [path for path in tracked("*.py") if "pytest.mark.verify" in (ROOT / path).read_text()]
    marked.remove("tools/tests/test_makefile.py")
    assert len(marked) > 10
    assert [path for path in marked if not any(Path(path).is_relative_to(folder) for folder in folders)] == []


def test_make_verify_runs_all_of_its_parts():
    makefile = (ROOT / "Makefile").read_text()
    (parts,) = re.findall(r"^VERIFY = (.*)$", makefile, re.MULTILINE)
    assert {*parts.split(), "verify-drills"} == {"docs", *re.findall(r"^(verify-\w+):", makefile, re.MULTILINE)}
