"""Custom resources under the schemas of their CRDs from npm: values by validators, unknown fields by types."""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.combinations import OVERLAYS, components
from deploy.tests.conftest import Load
from deploy.tests.pipelines.stage import ROOT
from packages.preflight.reading import render

pytestmark = pytest.mark.verify

MODULES = ROOT / "build" / "pipelines" / "node_modules"
PACKAGES = {
    "argoproj.io": "argo-cd",
    "external-secrets.io": "external-secrets",
    "gateway.networking.k8s.io": "gateway-api",
    "keda.sh": "keda",
    "kyverno.io": "kyverno",
    "monitoring.coreos.com": "prometheus-operator",
}
WITHOUT_SCHEMA = {"chaos-mesh.org", "gateway.envoyproxy.io"}
"""Groups whose schemas no package registry has."""

Object = dict[str, Any]


@pytest.fixture(scope="module")
def resources(load: Load) -> list[Object]:
    """Every custom resource: of each overlay with all components, of the rules, of Argo CD."""
    found = [each.data for overlay in OVERLAYS for each in load(overlay, components())]
    found += yaml.safe_load_all(render(ROOT / "deploy" / "kustomize" / "monitoring"))
    for file in [*(ROOT / "deploy" / "argocd" / "apps").glob("*.yaml"), ROOT / "deploy" / "argocd" / "root.yaml"]:
        found += yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return [each for each in found if group(each) in PACKAGES]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder from which node finds the packages."""
    if not MODULES.is_dir():
        missing = "the schemas are not here: `make verify` brings them where npm is"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    (tmp_path / "node_modules").symlink_to(MODULES)
    shutil.copy2(Path(__file__).with_name("valid.mjs"), tmp_path)
    return tmp_path


def group(of: Object) -> str:
    return str(of["apiVersion"].rpartition("/")[0])


def module(of: Object) -> str:
    return f"@kubernetes-models/{PACKAGES[group(of)]}/{of['apiVersion']}"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def values(folder: Path, objects: list[Object]) -> subprocess.CompletedProcess[str]:
    """Types, enumerations, required fields."""
    (folder / "objects.json").write_text(json.dumps([{"module": module(each), "object": each} for each in objects]))
    return run(folder, "node", "valid.mjs", "objects.json")


def fields(folder: Path, objects: list[Object]) -> subprocess.CompletedProcess[str]:
    """Unknown fields: the compiler refuses them in a literal."""
    lines = []
    for number, each in enumerate(objects):
        lines.append(f'import type {{ I{each["kind"]} as T{number} }} from "{module(each)}";')
        lines.append(f"export const o{number}: T{number} = {json.dumps(each)};")
    (folder / "objects.ts").write_text("\n".join(lines))
    options = ("--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext")
    return run(folder, "node_modules/.bin/tsc", *options, "objects.ts")


@pytest.mark.parametrize("check", [values, fields], ids=lambda check: check.__name__)
def test_custom_resources_are_valid(
    resources: list[Object], folder: Path, check: Callable[[Path, list[Object]], subprocess.CompletedProcess[str]]
):
    done = check(folder, resources)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {group(each) for each in resources} == set(PACKAGES)


def test_a_wrong_value_and_an_unknown_field_are_found(resources: list[Object], folder: Path):
    broken = copy.deepcopy([next(each for each in resources if each["kind"] == kind) for kind in KINDS])
    for each in broken:
        each["spec"]["nonsense"] = 1
    done = fields(folder, broken)
    assert done.stdout.count("'\"nonsense\"' does not exist") == len(KINDS), done.stdout
    broken[0]["spec"]["endpoints"] = "none"
    done = values(folder, broken[:1])
    assert done.returncode == 1
    assert "/spec/endpoints must be array" in done.stdout


KINDS = ("ServiceMonitor", "ExternalSecret", "HTTPRoute", "ScaledObject", "Policy", "Application")


def test_only_groups_without_a_package_are_left_out(load: Load):
    """Custom kinds have a dot in their group that is none of Kubernetes' own."""
    own = {"networking.k8s.io", "apps", "autoscaling", "batch", "policy", ""}
    groups = {group(each.data) for overlay in OVERLAYS for each in load(overlay, components())}
    assert groups - own - set(PACKAGES) == WITHOUT_SCHEMA
