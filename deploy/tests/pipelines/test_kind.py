"""The programs of the test cluster that run without one: the caller against a real gateway, the script's order."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.tests.pipelines.stage import Failure, Stage, stage
from deploy.tests.programs import linked, run, succeeded
from packages.preflight import render
from tools.processes.service import Service, free_port

KIND = Path(__file__).with_name("kind")
SHELL = ("bash", "env", "dirname", "mkdir")


def caller(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-I", KIND / "caller.py", *arguments)


@pytest.mark.parametrize(
    ("service", "code", "said"),
    [("gateway_service", 0, '"failed": 0'), ("users_service", 1, "status 404"), ("", 1, "ConnectionRefusedError")],
)
def test_load_needs_a_gateway_that_loses_nothing(request: pytest.FixtureRequest, service: str, code: int, said: str):
    port = request.getfixturevalue(service).port if service else free_port()
    done = caller("load", "127.0.0.1", port, 0.7)
    assert done.returncode == code, done.stderr
    assert said in done.stdout


def test_denied_requires_a_name_that_resolves_and_a_refused_connection(users_service: Service):
    assert caller("denied", f"127.0.0.1:{free_port()}").returncode == 0
    done = caller("denied", f"127.0.0.1:{users_service.port}")
    assert done.returncode == 1
    assert "can be reached" in done.stdout
    assert caller("denied", "nobody.invalid:6379").returncode != 0
    assert caller("denied").returncode != 0


@pytest.mark.program("kubectl")
def test_only_the_caller_is_let_in():
    found = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(render(KIND))}
    rule = found["NetworkPolicy", "api-gateway-from-caller"]["spec"]["ingress"][0]["from"]
    assert rule == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "caller"}}}]
    jobs = {name: yaml.safe_load((KIND / f"{name}.yaml").read_text()) for name in ("smoke", "load", "denied")}
    labels = {
        name: job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] for name, job in jobs.items()
    }
    assert labels == {"smoke": "caller", "load": "caller", "denied": "stranger"}
    for job in jobs.values():
        volume = job["spec"]["template"]["spec"]["volumes"][0]
        assert ("ConfigMap", volume["configMap"]["name"]) in found


@pytest.fixture
def cluster(tmp_path: Path) -> Stage:
    return stage(tmp_path / "stage", "kind", "docker", "kubectl", "curl", "service-python")


def kind(cluster: Stage, **settings: str) -> subprocess.CompletedProcess[str]:
    return cluster.run("kind.sh", PYTHON="service-python", **settings)


def test_everything_is_tried_in_order_and_cleaned_up(cluster: Stage):
    succeeded(kind(cluster))
    order = [
        "kind create cluster", "docker build", "kind load docker-image", "apply -k", "rollout status statefulset/redis",
        "smoke.yaml", "port-forward", "gateway_site/tests/end_to_end", "denied.yaml",
        "load.yaml", "rollout restart deployment/user-service",
        "rollout restart deployment/api-gateway", "get job/load", "curl", "kind delete cluster",
    ]  # fmt: skip
    positions = [next(index for index, call in enumerate(cluster.calls) if part in call) for part in order]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    "call",
    [
        "docker build",
        "kind load",
        "apply -k",
        "rollout status",
        "port-forward",
        "gateway_site/tests/end_to_end",
        "apply -f .*denied",
        "wait --for",
        "rollout restart",
        "logs job/",
    ],
)
def test_any_failure_fails_and_cleans_up(cluster: Stage, call: str):
    cluster.fail(Failure(call))
    assert kind(cluster).returncode != 0
    assert "kind delete cluster" in cluster.calls[-1]


def test_kept_cluster_says_how_to_use_it(cluster: Stage):
    done = succeeded(kind(cluster, KEEP="1"))
    assert "export KUBECONFIG=build/kind/kubeconfig" in done.stdout
    assert not [call for call in cluster.calls if "delete cluster" in call]


@pytest.mark.parametrize("missing", ["docker", "kind"])
def test_missing_program_is_named_before_anything_starts(tmp_path: Path, missing: str):
    there = stage(tmp_path / "stage", *({"kind", "docker", "kubectl"} - {missing}))
    done = there.run("kind.sh", PATH=f"{there.folder / 'bin'}:{linked(tmp_path / 'tools', *SHELL)}")
    assert done.returncode == 2
    assert f"error: {missing} is not on PATH: install" in done.stderr
    assert not there.calls


def test_job_that_fails_is_not_waited_for(cluster: Stage):
    done = kind(cluster, STUB_JOB="FailureTarget Failed")
    assert done.returncode != 0
    assert "the job smoke failed" in done.stderr
