"""The audit: a silent source fails, findings fail, and the SBOM lists the services' dependencies."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.pipelines.stage import BIN
from deploy.tests.programs import run
from tests.http_server import Handler, http_server
from tools.processes.service import free_port

CLEAN = [
    {"name": "Django", "version": "5.2", "licenses": [{"license": {"id": "BSD-3-Clause"}}]},
    {"name": "redis", "version": "8.1", "licenses": [{"expression": "MIT"}]},
]
needs_pip_audit = pytest.mark.verify
"""The program, which `make verify` installs."""


def sbom(folder: Path, *more: dict[str, Any]) -> None:
    (folder / "users-gateway.cdx.json").write_text(json.dumps({"components": [*CLEAN, *more]}), encoding="utf-8")


def audit(folder: Path, url: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, BIN / "audit.py", "--folder", folder, "--osv-url", url)


@contextmanager
def advisories(known: dict[str, str]) -> Iterator[str]:
    """An OSV server with these advisories, by package."""

    class Advisories(Handler):
        def do_POST(self) -> None:
            name = json.loads(self.body())["package"]["name"].lower()
            package = {"name": name, "ecosystem": "PyPI"}
            entry = {"id": known.get(name), "affected": [{"package": package, "ranges": []}]}
            self.answer(200, json.dumps({"vulns": [entry]} if name in known else {}).encode())

    with http_server(Advisories) as url:
        yield f"{url}/v1/query"


@needs_pip_audit
def test_clean_is_clean(tmp_path: Path):
    sbom(tmp_path)
    with advisories({"jinja2": "PYSEC-1"}) as url:
        done = audit(tmp_path, url)
    assert done.returncode == 0, done.stderr
    assert "packages, asked at" in (tmp_path / "audit.md").read_text(encoding="utf-8")


@needs_pip_audit
@pytest.mark.parametrize(
    ("known", "says"),
    [({"jinja2": "PYSEC-1", "django": "PYSEC-2"}, "PYSEC-2"), ({}, "its silence says nothing")],
)
def test_known_vulnerability_and_empty_source_fail(tmp_path: Path, known: dict[str, str], says: str):
    sbom(tmp_path)
    with advisories(known) as url:
        done = audit(tmp_path, url)
    assert done.returncode == 1
    assert says in done.stderr
    assert "PYSEC-1" not in done.stderr, "the canary's are no findings"


@needs_pip_audit
def test_source_out_of_reach_fails(tmp_path: Path):
    sbom(tmp_path)
    done = audit(tmp_path, f"http://127.0.0.1:{free_port()}/v1/query")
    assert done.returncode == 1
    assert "out of reach" in done.stderr
    assert "unknown: " in (tmp_path / "audit.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("component", "says"),
    [
        (
            {"name": "copied", "version": "1", "licenses": [{"license": {"id": "GPL-3.0-only"}}]},
            "copied has the licence GPL",
        ),
        ({"name": "either", "version": "1", "licenses": [{"expression": "MIT OR AGPL-3.0-only"}]}, "either has"),
        ({"name": "silent", "version": "1"}, "silent has the licence unknown"),
    ],
)
def test_licence_that_is_not_allowed_fails(tmp_path: Path, component: dict[str, Any], says: str):
    sbom(tmp_path, component)
    assert says in audit(tmp_path, "http://127.0.0.1:9").stderr


@pytest.mark.parametrize("content", [None, "", "{}", '{"components": []}'])
def test_sbom_that_says_nothing_fails(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "users-gateway.cdx.json").write_text(content, encoding="utf-8")
    assert "make sbom" in audit(tmp_path, "http://127.0.0.1:9").stderr
