"""Workflows, scripts, rules and the Dockerfile under their linters (`make verify` installs them); each is seen to fail."""

from pathlib import Path

import pytest

from deploy.tests.pipelines.workflows import FOLDER, scripts
from deploy.tests.programs import ROOT, run, succeeded

pytestmark = pytest.mark.verify

FILES = sorted(FOLDER.glob("*.yaml"))
RULES = sorted((ROOT / "deploy/monitoring/rules").glob("*.rules.yaml"))
RATIO = "namespace_service:http_error_ratio:rate5m"
SCHEMA = ("check-jsonschema", "--builtin-schema")
FORMS = [f".github/ISSUE_TEMPLATE/{name}.yml" for name in ("bug", "feature")]
PINT = ("pint", "--offline", "lint", "--min-severity", "bug")
ZIZMOR = ("zizmor", "--offline", "--quiet", ".github")


@pytest.mark.parametrize(
    "command",
    [
        ("actionlint", *FILES),
        (*PINT, *RULES),
        ZIZMOR,
        (*SCHEMA, "vendor.github-workflows", *FILES),
        (*SCHEMA, "vendor.dependabot", ".github/dependabot.yml"),
        (*SCHEMA, "vendor.github-issue-forms", *FORMS),
        (*SCHEMA, "vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        (*SCHEMA, "vendor.compose-spec", "deploy/compose.yaml"),
        ("hadolint", "deploy/Dockerfile"),
        ("shellcheck", "--external-sources", *scripts()),
    ],
    ids=lambda command: " ".join(map(str, command[:3])),
)
def test_linter_is_clean(command: tuple[object, ...]):
    succeeded(run(*command))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    workflow = (FOLDER / "ci.yaml").read_text(encoding="utf-8").replace("needs: test\n", "needs: tset\n")
    workflow = workflow.replace("run: make lint", "run: echo ${{ github.event.pull_request.title }}")
    rules = (ROOT / "deploy/monitoring/rules/http.rules.yaml").read_text(encoding="utf-8")
    for name, text in {
        ".github/workflows/broken.yaml": workflow,
        "schema.yaml": workflow.replace("timeout-minutes: 10", "timeout-minutes: soon", 1),
        "x.rules.yaml": rules.replace(f"{RATIO} > 0.05", f"sum by (namespace) ({RATIO}) > 0.05"),
        "x.sh": "#!/bin/sh\nrm $1/*\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("actionlint", ".github/workflows/broken.yaml"), '"tset" which does not exist'),
        ((*PINT, "x.rules.yaml"), "alerts/template"),
        (ZIZMOR, "template-injection"),
        ((*SCHEMA, "vendor.github-workflows", "schema.yaml"), "timeout-minutes"),
        (("shellcheck", "x.sh"), "SC2086"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_linter_can_fail(broken: Path, command: tuple[str, ...], said: str):
    done = run(*command, folder=broken)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
