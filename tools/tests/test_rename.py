"""`make rename`: no old name is left, the new ones are in the right places, and the checks still pass."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import rename


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ghcr.io/{org}/api-gateway", "ghcr.io/acme-inc/api-gateway"),
        ("https://github.com/{org}/{project}/blob/main", "https://github.com/acme-inc/acme/blob/main"),
        ("namespace: {org}-prod", "namespace: acme-prod"),
        ('namespace=~"{org}-.*"', 'namespace=~"acme-.*"'),
        ("arn:aws:iam::1:role/{project}-deploy-dev", "arn:aws:iam::1:role/acme-deploy-dev"),
        ("import {package}_client", "import acme_client"),
    ],
)
def test_names_go_to_their_places(old: str, new: str) -> None:
    old = old.format(
        org=rename.ORGANISATION, project=rename.PROJECT, package=rename.PROJECT.replace("-", "_")
    )  # fmt: skip
    assert rename.renamed(old, "acme", "acme-inc") == new


@pytest.mark.parametrize(
    "names", [[], ["acme"], ["Acme", "acme"], ["acme", "acme inc"], ["a" * 31, "acme"], ["-a", "b"]]
)
def test_wrong_names_are_refused(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert rename.main(names) == 2
    assert "make rename NAME=acme ORG=acme-inc" in capsys.readouterr().err


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.skipif(rename.PROJECT not in Path("mkdocs.yml").read_text(), reason="the project was renamed")
def test_no_old_name_is_left_and_a_second_rename_says_so(clone: Path) -> None:
    assert run(clone, "tools.rename", "acme", "acme-inc").returncode == 0
    old = re.compile(
        f"{rename.ORGANISATION}|{rename.PROJECT}|{rename.PROJECT.replace('-', '_')}".encode(), re.IGNORECASE
    )
    assert [
        path
        for path in clone.rglob("*")
        if not {".git", "__pycache__"} & set(path.parts) and path.is_file() and old.search(path.read_bytes())
    ] == []
    again = run(clone, "tools.rename", "acme", "acme-inc")
    assert (again.returncode, again.stderr[:32]) == (1, "error: no file contains " + rename.PROJECT[:8])


@pytest.mark.verify
@pytest.mark.timeout(600)
def test_a_renamed_project_passes_its_checks(clone: Path) -> None:
    assert (
        run(clone, "tools.rename", "a-much-longer-name-of-a-project", "an-organisation-of-30-letters").returncode == 2
    )
    assert run(clone, "tools.rename", "a-longer-name-of-a-project", "an-organisation").returncode == 0
    run(clone, "ruff", "check", "--fix", "--quiet")
    run(clone, "ruff", "format", "--quiet")
    for check in (["ruff", "check"], ["tools.lint.locks"]):
        done = run(clone, *check)
        assert done.returncode == 0, done.stdout + done.stderr
    tests = [
        "deploy/tests/pipelines",
        "deploy/tests/monitoring/test_rules.py",
        "tools/tests/test_docs.py",
        "packages/preflight",
        "tools/tests/test_rename.py",
    ]
    options = ("--ds=gateway_site.settings", "-x", "-p", "no:randomly", "-n", "2", "--dist", "loadfile")
    done = run(clone, "pytest", *options, *tests)
    assert done.returncode == 0, done.stdout[-4000:]
