"""deploy/bin/validators.py with a stand-in for go: refuses another checksum, fails in one line, builds once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.tests.pipelines.stage import BIN
from deploy.tests.programs import run


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "deploy" / "bin"
    folder.mkdir(parents=True)
    shutil.copy2(BIN / "validators.toml", folder)
    return Path(shutil.copy2(BIN / "validators.py", folder))


def build(script: Path, go: str) -> subprocess.CompletedProcess[str]:
    program = script.with_name("go")
    program.write_text(f"#!/bin/sh\n{go}\n", encoding="utf-8")
    program.chmod(0o755)
    return run(sys.executable, script, env={"PATH": f"{script.parent}:/usr/bin:/bin"})


@pytest.mark.parametrize(
    ("go", "reason"),
    [
        ("""echo '{"Sum": "h1:other", "Dir": "/nowhere"}'""", "has the checksum h1:other, validators.toml says h1:"),
        ("echo 'module: not found' >&2; exit 1", "failed: module: not found"),
    ],
)
def test_a_module_that_cannot_be_trusted_is_one_line(script: Path, go: str, reason: str):
    done = build(script, go)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert reason in done.stderr
    assert not list((script.parents[2] / "build").iterdir())


def test_without_go_they_are_skipped_by_name(script: Path):
    done = run(sys.executable, script, env={"PATH": "/nowhere"})
    assert (done.returncode, done.stdout) == (0, "skipped without Go: kubeconform actionlint pint kube-score oasdiff\n")


def test_what_is_built_is_not_built_again(script: Path):
    built = script.parents[2] / "build" / "validators"
    built.mkdir(parents=True)
    shutil.copy2(script.with_name("validators.toml"), built)
    assert build(script, "exit 1").returncode == 0
    (built / "validators.toml").write_text("another", encoding="utf-8")
    assert build(script, "exit 1").returncode == 1
