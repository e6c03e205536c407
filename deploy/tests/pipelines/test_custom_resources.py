"""Custom resources under kubeconform with the schemas of their CRDs, which deploy/bin/validators.py brings."""

import copy
import subprocess
from typing import Any

import pytest
import yaml

from deploy.tests.combinations import OVERLAYS, components
from deploy.tests.conftest import Load
from deploy.tests.pipelines.stage import ROOT
from deploy.tests.pipelines.validators import SCHEMAS, validator
from packages.preflight.kinds import BUILT_IN
from packages.preflight.reading import render

pytestmark = pytest.mark.verify

Object = dict[str, Any]
KINDS = (
    "Application", "BackendTrafficPolicy", "ExternalSecret", "HTTPRoute", "NetworkChaos", "Policy", "ScaledObject",
    "ServiceMonitor",
)  # fmt: skip
"""One of each operator."""


@pytest.fixture(scope="module")
def resources(load: Load) -> list[Object]:
    """Every custom resource: of each overlay with all components, of the rules, of Argo CD."""
    found = [each.data for overlay in OVERLAYS for each in load(overlay, components())]
    found += yaml.safe_load_all(render(ROOT / "deploy" / "kustomize" / "monitoring"))
    for file in [*(ROOT / "deploy" / "argocd" / "apps").glob("*.yaml"), ROOT / "deploy" / "argocd" / "root.yaml"]:
        found += yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return [each for each in found if each["apiVersion"] not in BUILT_IN]


def kubeconform(objects: list[Object]) -> subprocess.CompletedProcess[str]:
    """Kubeconform refuses unknown fields, and kinds without a schema."""
    pattern = f"{SCHEMAS}/{{{{.Group}}}}-{{{{.ResourceKind}}}}-{{{{.ResourceAPIVersion}}}}.json"
    return subprocess.run(
        [validator("kubeconform"), "-strict", "-summary", "-schema-location", pattern],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_custom_resources_are_valid(resources: list[Object]):
    done = kubeconform(resources)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Valid: {len(resources)}, " in done.stdout
    assert {each["kind"] for each in resources} > set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_field_is_found(resources: list[Object], kind: str):
    broken = copy.deepcopy(next(each for each in resources if each["kind"] == kind))
    broken["spec"]["nonsense"] = 1
    done = kubeconform([broken])
    assert done.returncode == 1
    assert "'nonsense' not allowed" in done.stdout


def test_a_wrong_value_and_an_unknown_kind_are_found(resources: list[Object]):
    broken = copy.deepcopy([each for each in resources if each["kind"] == "ServiceMonitor"][:2])
    broken[0]["spec"]["endpoints"] = "none"
    broken[1]["kind"] = "Nonsense"
    done = kubeconform(broken)
    assert "at '/spec/endpoints': got string, want array" in done.stdout
    assert "could not find schema for Nonsense" in done.stdout
