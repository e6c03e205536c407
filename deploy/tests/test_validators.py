"""Existing validators check what they can: schemas, general policy, the Dockerfile. Each is also seen to fail."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.combinations import OVERLAYS, components
from deploy.tests.conftest import DEPLOY, Load, Render
from deploy.tests.programs import ROOT, program, run, succeeded
from packages.preflight import render
from packages.preflight.kinds import BUILT_IN

Object = dict[str, Any]

pytestmark = pytest.mark.verify

KUBERNETES = ("1.35.0", "1.36.0", "1.37.0")

WAIVED = {
    "CKV_K8S_15": "imagePullPolicy Always: images are named by digest or by the commit, neither of which moves",
    "CKV_K8S_35": "secrets as files: redis_exporter reads its password from its environment only",
    "CKV_K8S_40": "UID above 10000: the images' user is 1001 by contract, user namespaces are the node's to set",
    "CKV_K8S_43": "digest: the deploy workflow writes it; between deploys the commit's tag stands there",
}
"""Checks of checkov that do not hold here, and why."""

UNSCORED = {
    "container-ephemeral-storage-request-and-limit": "roots are read-only, volumes in memory or claimed",
    "container-image-pull-policy": "as CKV_K8S_15",
    "container-security-context-user-group-id": "as CKV_K8S_40",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints spread the pods",
    "deployment-replicas": "KEDA's ScaledObject is not known to it, and the store of rate limits is one",
    "statefulset-has-host-podantiaffinity": "topologySpreadConstraints spread the pods",
}
"""Checks of kube-score that do not hold here, and why."""
UNSCORED_IN_DEV = {
    "deployment-has-poddisruptionbudget": "one replica: a budget would block every drain",
    "horizontalpodautoscaler-replicas": "one replica",
}

CUSTOM = (
    "Application", "BackendTrafficPolicy", "ClientTrafficPolicy", "ExternalSecret", "HTTPRoute", "NetworkChaos", "Policy",
    "ScaledObject", "ServiceMonitor",
)  # fmt: skip
"""One of each operator."""


@pytest.fixture(scope="session")
def files(rendered: Render, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Each overlay alone, and prod with all components, as files."""
    folder = tmp_path_factory.mktemp("rendered")
    texts = [*map(rendered, OVERLAYS), rendered("prod", components())]
    found = [folder / f"{name}.yaml" for name in (*OVERLAYS, "everything")]
    for file, text in zip(found, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return found


@pytest.mark.parametrize("version", KUBERNETES)
def test_schemas_hold(files: list[Path], version: str):
    succeeded(run("kubernetes-validate", "--strict", "--no-warn", "-k", version, *files))


def test_schema_validation_can_fail(files: list[Path], tmp_path: Path):
    broken = tmp_path / "broken.yaml"
    broken.write_text(files[0].read_text(encoding="utf-8").replace("maxSurge: 1", "maxSurge: 1\n      surge: 1"))
    assert run("kubernetes-validate", "--strict", "--no-warn", "-k", KUBERNETES[0], broken).returncode != 0


@pytest.mark.parametrize("version", KUBERNETES)
def test_known_kinds_are_those_of_the_schemas(version: str):
    packages = Path(program("kubernetes-validate")).resolve().parents[1] / "lib"
    schemas = next(packages.rglob(f"kubernetes-json-schema/v{version}-local-strict"))
    there = {file.name for file in schemas.glob("*.json")}
    for api_version, kinds in BUILT_IN.items():
        group, _, number = api_version.rpartition("/")
        suffix = f"-{group.split('.')[0]}-{number}.json" if group else f"-{number}.json"
        for kind in kinds.split():
            assert kind.lower() + suffix in there or kind == "List", f"{api_version} {kind}"


@pytest.fixture(scope="module")
def resources(load: Load) -> list[Object]:
    """Every custom resource: of each overlay with all components, of the rules, of Argo CD."""
    found = [each.data for overlay in OVERLAYS for each in load(overlay, components())]
    found += yaml.safe_load_all(render(DEPLOY / "kustomize" / "monitoring"))
    for file in [*(DEPLOY / "argocd" / "apps").glob("*.yaml"), DEPLOY / "argocd" / "root.yaml"]:
        found += yaml.safe_load_all(file.read_text(encoding="utf-8"))
    return [each for each in found if each["apiVersion"] not in BUILT_IN]


def kubeconform(objects: list[Object]) -> tuple[int, str]:
    """Kubeconform refuses unknown fields, and kinds without a schema."""
    pattern = ROOT / "build/validators/schemas/{{.Group}}-{{.ResourceKind}}-{{.ResourceAPIVersion}}.json"
    done = run("kubeconform", "-strict", "-summary", "-schema-location", pattern, text=yaml.safe_dump_all(objects))
    return done.returncode, done.stdout


def test_custom_resources_are_valid(resources: list[Object]):
    status, said = kubeconform(resources)
    assert status == 0, said
    assert f"Valid: {len(resources)}, " in said
    assert {each["kind"] for each in resources} > set(CUSTOM)


@pytest.mark.parametrize("kind", CUSTOM)
def test_an_unknown_field_is_found(resources: list[Object], kind: str):
    broken = copy.deepcopy(next(each for each in resources if each["kind"] == kind))
    broken["spec"]["nonsense"] = 1
    status, said = kubeconform([broken])
    assert status == 1
    assert "'nonsense' not allowed" in said


def test_routes_as_http_routes_are_valid(tmp_path: Path):
    table = tmp_path / "routes.yaml"
    table.write_text("""
upstreams: {b: {url: "http://b.c:80"}, d: {url: "http://d"}}
routes:
  - {prefix: /a, upstream: b, methods: [GET], canary: {upstream: d, percent: 10, header: x-canary}}
  - {prefix: /b, upstream: d, rewrite: "", paths: ["", /x], timeout_ms: 600000, request_headers: {set: {x-y: z}}}
""")
    environment = {"ROUTES": str(table), "USER_SERVICE_URL": "http://user-service:3001", "DEBUG": "true"}
    command = [sys.executable, "manage_gateway.py", "routes", "--http-routes", "public"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    status, said = kubeconform(list(yaml.safe_load_all(done.stdout)))
    assert (status, "Valid: 3, " in said) == (0, True), said


def kube_score(text: str) -> set[str]:
    done = run("kube-score", "score", "--kubernetes-version", "v1.35", "-o", "json", "-", text=text)
    checks = [check for each in json.loads(done.stdout) for check in each["checks"] if not check["skipped"]]
    assert len(checks) > 50, "kube-score checked hardly anything"
    return {check["check"]["id"] for check in checks if check["grade"] < 10}


def test_kube_score_finds_what_is_waived_alone(files: list[Path]):
    dev, *others = [kube_score(file.read_text(encoding="utf-8")) for file in files]
    assert dev - set(UNSCORED) == set(UNSCORED_IN_DEV)
    assert set().union(*others) == set(UNSCORED)


def test_policy_holds_but_for_what_is_waived(files: list[Path]):
    # As a module: the first line of its script is a path, which must have no space.
    checkov = (Path(program("checkov")).with_name("python"), "-m", "checkov.main")
    found: set[tuple[str, str]] = set()
    for file in files[-2:]:  # prod, alone and with everything
        done = run(*checkov, "-f", file, "--framework", "kubernetes", "--skip-download", "--quiet", "-o", "json")
        report = json.loads(done.stdout)
        assert report["summary"]["passed"] > 100, "checkov checked hardly anything"
        found |= {(each["check_id"], each["resource"]) for each in report["results"]["failed_checks"]}
    assert {each for each in found if each[0] not in WAIVED} == set()
    assert {check for check, _ in found} == set(WAIVED), "a waiver that nothing needs"


def test_dockerfile_pins_its_base_by_digest():
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_BASE=\S+@sha256:[0-9a-f]{64}$", dockerfile, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) - {"${PYTHON_BASE}", "scratch"} == {
        "base", "dependencies", "final", "repository", "test-users",
    }  # fmt: skip
