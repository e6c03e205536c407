"""Workflows, scripts and rules under their linters, which `make verify` installs. Each linter is also seen to fail."""

from pathlib import Path

import pytest

from deploy.tests.pipelines.workflows import FOLDER, scripts
from deploy.tests.programs import ROOT, run

pytestmark = pytest.mark.verify

FILES = sorted(FOLDER.glob("*.yaml"))
RULES = sorted((ROOT / "deploy/monitoring/rules").glob("*.rules.yaml"))


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
    done = run("actionlint", *FILES)
    assert done.returncode == 0, done.stdout


def test_actionlint_can_fail(broken: Path):
    done = run("actionlint", broken / ".github/workflows/broken.yaml")
    assert done.returncode == 1
    assert '"tset" which does not exist' in done.stdout


def test_pint_finds_no_bug():
    done = run("pint", "--offline", "lint", "--min-severity", "bug", *RULES)
    assert done.returncode == 0, done.stderr


def test_pint_can_fail(tmp_path: Path):
    text = (ROOT / "deploy/monitoring/rules/http.rules.yaml").read_text(encoding="utf-8")
    ratio = "namespace_service:http_error_ratio:rate5m"
    rules = tmp_path / "x.rules.yaml"
    rules.write_text(text.replace(f"{ratio} > 0.05", f"sum by (namespace) ({ratio}) > 0.05"), encoding="utf-8")
    done = run("pint", "--offline", "lint", "--min-severity", "bug", rules)
    assert done.returncode == 1
    assert "alerts/template" in done.stderr


def test_zizmor_is_clean():
    done = run("zizmor", "--offline", "--quiet", ".github")
    assert done.returncode == 0, done.stdout


def test_zizmor_can_fail(broken: Path):
    file = broken / ".github/workflows/broken.yaml"
    # zizmor ignores files that are not workflows.
    file.write_text(file.read_text(encoding="utf-8").replace("minutes: soon", "minutes: 10"), encoding="utf-8")
    assert run("zizmor", "--offline", "--quiet", ".github", folder=broken).returncode != 0


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
    done = run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert done.returncode == 0, done.stdout


def test_schemas_can_fail(broken: Path):
    file = broken / ".github/workflows/broken.yaml"
    assert run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", file).returncode != 0


def test_shellcheck_is_clean():
    assert len(scripts()) > 8
    done = run("shellcheck", "--external-sources", *scripts())
    assert done.returncode == 0, done.stdout


def test_shellcheck_can_fail(tmp_path: Path):
    (tmp_path / "x.sh").write_text("#!/bin/sh\nrm $1/*\n", encoding="utf-8")
    assert run("shellcheck", tmp_path / "x.sh").returncode != 0
