"""A release: version, changelog and tag agree; the tested images get the name; the release's files."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deploy.tests.pipelines.stage import BIN, ROOT, Failure, Stage, stage
from deploy.tests.programs import run, succeeded

CHANGELOG = """\
# Changelog

## [Unreleased]

- Later.

## [1.2.3] - 2026-11-23

### Added

- This.

## [1.2.2] - 2026-11-01

- That.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "deploy").mkdir(parents=True)
    shutil.copytree(BIN, folder / "deploy/bin")
    shutil.copy(ROOT / "deploy/Dockerfile", folder / "deploy")
    for name, text in {
        "common/__init__.py": '__version__ = "1.2.3"\n',
        "CHANGELOG.md": CHANGELOG,
        "docs/openapi/gateway.yaml": "openapi: 3.1.0\n",
        "docs/openapi/users.yaml": "openapi: 3.1.0\n",
        "build/supply-chain/users-gateway.cdx.json": "{}",
        "build/clients/python/setup.py": "",
        "build/clients/typescript/index.ts": "",
        "build/clients/typescript/node_modules/big/index.js": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Stage:
    return stage(tmp_path / "stage", "docker", "cosign", "gh")


def notes(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, checkout / "deploy/bin/release_notes.py", *arguments)


def release(tools: Stage, checkout: Path) -> subprocess.CompletedProcess[str]:
    settings = {
        "IMAGES": "ghcr.io/DevOps-Challenge",
        "REVISION": "0123456789abcdef",
        "REPOSITORY": "devops-challenge/users-gateway",
    }
    return run(checkout / "deploy/bin/release.sh", "v1.2.3", env=tools.environment(**settings))


def test_notes_are_the_section_of_the_version(checkout: Path):
    assert notes(checkout, "v1.2.3").stdout == "### Added\n\n- This.\n"


@pytest.mark.parametrize(
    ("tag", "code", "says"),
    [("v1.2.2", 1, "common/__init__.py 1.2.3"), ("1.2.3", 2, "like v1.2.3"), ("v1.2", 2, "like v1.2.3")],
)
def test_tag_that_is_not_the_version_is_refused(checkout: Path, tag: str, code: int, says: str):
    done = notes(checkout, tag)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr


@pytest.mark.parametrize("section", ["", "## [1.2.3] - 2026-11-23\n\n", "## [1.2.3]\n\n- No date.\n\n"])
def test_version_without_a_section_is_refused(checkout: Path, section: str):
    text = CHANGELOG.replace("## [1.2.3] - 2026-11-23\n\n### Added\n\n- This.\n\n", section)
    (checkout / "CHANGELOG.md").write_text(text, encoding="utf-8")
    assert notes(checkout, "v1.2.3").returncode == 1


def test_release_names_the_tested_images_and_attaches_everything(tools: Stage, checkout: Path):
    succeeded(release(tools, checkout))
    verified = [call for call in tools.calls if call.startswith("cosign verify")]
    assert len(verified) == 2
    assert all(".github/workflows/images.yaml@refs/heads/main" in call for call in verified)
    assert all("--certificate-github-workflow-sha 0123456789abcdef" in call for call in verified)
    named = [call for call in tools.calls if "imagetools create" in call]
    assert all("--new-bundle-format=false" in call for call in verified), "the form in which publish_images.sh signs"
    assert [call.split()[5] for call in named] == [
        "ghcr.io/devops-challenge/api-gateway:1.2.3",
        "ghcr.io/devops-challenge/user-service:1.2.3",
    ]
    assert not [call for call in tools.calls if "buildx build" in call]
    attached = [Path(word).name for word in tools.calls[-1].split() if word.startswith("build/release/")]
    assert sorted(attached) == sorted({
        "notes.md", "openapi-gateway.yaml", "openapi-users.yaml", "users-gateway.cdx.json", "client-python.tar.gz",
        "client-typescript.tar.gz", "SHA256SUMS", "SHA256SUMS.sigstore.json",
    })  # fmt: skip
    sums = (checkout / "build/release/SHA256SUMS").read_text(encoding="utf-8")
    assert {line.split()[1] for line in sums.splitlines()} == {*attached} - {
        "notes.md",
        "SHA256SUMS",
        "SHA256SUMS.sigstore.json",
    }
    with tarfile.open(checkout / "build/release/client-typescript.tar.gz") as archive:
        assert not [name for name in archive.getnames() if "node_modules" in name]
    text = (checkout / "build/release/notes.md").read_text(encoding="utf-8")
    assert "- ghcr.io/devops-challenge/api-gateway@sha256:" in text


@pytest.mark.parametrize("call", ["^cosign verify", "imagetools inspect", "^cosign sign-blob", ""])
def test_commit_that_is_unsigned_unbuilt_or_incomplete_is_not_released(tools: Stage, checkout: Path, call: str):
    if call:
        tools.fail(Failure(call))
    else:
        shutil.rmtree(checkout / "build/clients/python")
    assert release(tools, checkout).returncode != 0
    assert not [each for each in tools.calls if each.startswith("gh")]
    has_named = any("imagetools create" in each for each in tools.calls)
    assert has_named == (call not in {"^cosign verify", "imagetools inspect"}), "only what is verified gets the name"


def test_version_is_in_one_place():
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
