"""The applications and environments of deploy/argocd: rendered, checked, in order."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.combinations import OVERLAYS
from deploy.tests.conftest import Load, Render
from deploy.tests.pipelines.stage import ROOT
from deploy.tests.programs import run
from packages.preflight import check

ARGOCD = ROOT / "deploy" / "argocd"
WAVE = "argocd.argoproj.io/sync-wave"

pytestmark = pytest.mark.program("kubectl")


@cache
def application(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ARGOCD / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("environment", OVERLAYS)
def test_nothing_is_found_in_an_environment(load: Load, environment: str):
    assert check(load(f"argocd/environments/{environment}")) == []


@pytest.mark.parametrize("environment", OVERLAYS)
def test_images_of_ours_are_named_by_digest(rendered: Render, environment: str):
    images = re.findall(r"image: (\S*devops-challenge\S*)", rendered(f"argocd/environments/{environment}"))
    assert len(images) == 3
    for image in images:
        assert re.fullmatch(r"ghcr\.io/devops-challenge/(api-gateway|user-service)@sha256:[0-9a-f]{64}", image)


@pytest.mark.parametrize("environment", OVERLAYS)
def test_what_a_workload_reads_comes_no_later(load: Load, environment: str):
    objects = load(f"argocd/environments/{environment}")
    found = {(each.kind, each.name): int(each.annotations.get(WAVE, 0)) for each in objects}
    redis, users, gateway = (
        found[key] for key in (("StatefulSet", "redis"), ("Deployment", "user-service"), ("Deployment", "api-gateway"))
    )
    assert redis < users < gateway
    for (kind, name), number in found.items():
        if kind in {"Namespace", "ServiceAccount", "ConfigMap", "Secret", "Service", "NetworkPolicy", "SecretStore"}:
            assert number <= redis, f"{kind} {name}"
        if kind == "ExternalSecret":
            assert found["SecretStore", "aws-secrets-manager"] < number < redis, name
        if kind == "HorizontalPodAutoscaler":
            assert number > gateway, name


def test_applications_point_at_what_is_there(load: Load):
    project = application("apps/project")["spec"]
    for name in ("root", *(f"apps/{each}" for each in OVERLAYS)):
        spec = application(name)["spec"]
        assert (ROOT / spec["source"]["path"]).is_dir(), name
        assert [spec["source"]["repoURL"]] == project["sourceRepos"], name
    for name in OVERLAYS:
        spec = application(f"apps/{name}")["spec"]
        objects = load(f"argocd/environments/{name}")
        assert {each.namespace for each in objects if each.kind != "Namespace"} == {spec["destination"]["namespace"]}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ARGOCD / "environments", tmp_path / "deploy/argocd/environments")
    return tmp_path


GATEWAY, USERS = f"api-gateway@sha256:{'1f' * 32}", f"user-service@sha256:{'2e' * 32}"


def promote(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, ROOT / "deploy/bin/promote.py", *arguments)


@pytest.mark.parametrize("environment", OVERLAYS)
def test_promotion_writes_two_digests_and_nothing_else(copy: Path, environment: str):
    file = copy / "deploy/argocd/environments" / environment / "kustomization.yaml"
    before = file.read_text(encoding="utf-8").splitlines()
    assert promote(environment, USERS, GATEWAY, "--root", copy).returncode == 0
    after = file.read_text(encoding="utf-8").splitlines()
    changed = [new.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [f"digest: {each.partition('@')[2]}" for each in (GATEWAY, USERS)]


def test_promotion_that_finds_no_digest_changes_nothing(copy: Path):
    file = copy / "deploy/argocd/environments/prod/kustomization.yaml"
    text = file.read_text(encoding="utf-8").replace("newName: ghcr.io/devops-challenge/user-service", "newName: other")
    file.write_text(text, encoding="utf-8")
    done = promote("prod", GATEWAY, USERS, "--root", copy)
    assert done.returncode == 1
    assert "user-service" in done.stderr
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(("images", "code"), [((GATEWAY,), 1), ((GATEWAY, "user-service:latest"), 2)])
def test_promotion_of_a_tag_or_of_one_image_is_refused(copy: Path, images: tuple[str, ...], code: int):
    assert promote("prod", *images, "--root", copy).returncode == code
