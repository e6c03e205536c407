"""The commands of runbooks and of troubleshooting.md that ask the cluster or change it: real kubectl against an API server
that has prod's objects, as the faults leave them."""

import copy
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.conftest import Load
from deploy.tests.monitoring.test_runbook_commands import COMMANDS, everything
from deploy.tests.monitoring.test_runbook_faults import RUN_INSIDE
from deploy.tests.pipelines.api_server import api_server
from deploy.tests.pipelines.cluster import ADMINISTRATOR, Cluster, plural
from deploy.tests.programs import run, succeeded

pytestmark = [pytest.mark.verify, pytest.mark.program("kubectl")]

NS = "devops-challenge-prod"
MENTIONED = {"kubectl debug", "kubectl drain", "kubectl -n $NS scale", "kubectl apply --dry-run=server"}
"""Named in a sentence, not to be typed as they stand."""

CASES = {
    "manage_gateway.py check_manifests ": [],
    "get events": ["user-service-pod.unhealthy", "backup-1.deadlineexceeded"],
    "get events --field-selector": ["backup-1.deadlineexceeded"],
    "rollout history deploy/": ["REVISION", "1 ", "2 "],
    "rollout undo ": ["rolled back"],
    "rollout restart ": ["statefulset.apps/redis restarted", "deployment.apps/user-service restarted"],
    "rollout status ": ["successfully rolled out"],
    "get cronjob,jobs": ["cronjob.batch/backup", "job.batch/backup-1"],
    "create job ": ["job.batch/backup-now created (dry run)"],
    "get certificate": ["api"],
    "describe certificaterequest,order,challenge": ["rateLimited", "propagation", "State:   errored"],
    "describe clusterissuer": ["Ready", "False", "ErrRegisterACMEAccount"],
    "get deploy,pods -l app.kubernetes.io/name=api-gateway": ["deployment.apps/api-gateway", "pod/api-gateway-pod"],
    "get deploy,pods -l app.kubernetes.io/name=user-service": ["deployment.apps/user-service", "pod/user-service-pod"],
    "get pods,endpointslices -l app.kubernetes.io/name=user-service": ["pod/user-service-pod", "/user-service-1"],
    "get pods,endpointslices -l app.kubernetes.io/name=rate-limit": ["pod/rate-limit-pod", "/rate-limit-1"],
    "get svc,endpointslices -l app.kubernetes.io/name=api-gateway": ["service/api-gateway", "/api-gateway-1"],
    "get svc,endpointslices -l app.kubernetes.io/name=user-service": ["service/user-service", "/user-service-1"],
    "get pods -o wide": ["api-gateway-pod", "redis-0", "user-service-pod"],
    "get pods -l app.kubernetes.io/name=redis ": ["redis-0"],
    "get pods -l app.kubernetes.io/name=redis-sentinel": ["redis-sentinel-0"],
    "get pods -l app.kubernetes.io/name=redis-cluster": ["redis-cluster-0"],
    "get pods -l app.kubernetes.io/name=api-gateway": ["api-gateway-pod"],
    "get pods -l app.kubernetes.io/name=user-service": ["user-service-pod"],
    "get pods --field-selector=status.phase=Pending": ["redis-sentinel-0"],
    "get pods,svc,endpointslices,hpa,pdb": [
        "pod/user-service-pod",
        "service/redis",
        "horizontalpodautoscaler",
        "budget",
    ],
    "get pod $POD -o jsonpath": ["user-service", '"exitCode":137', '"reason":"OOMKilled"'],
    "describe pod": ["OOMKilled", "137", "Liveness probe failed"],
    "describe pod -l app.kubernetes.io/name=rate-limit": ["Name:             rate-limit-pod"],
    "describe pod redis-0": ["redis-0", "CrashLoopBackOff"],
    "describe hpa": ["ScalingLimited", "TooManyReplicas"],
    "describe deploy/": ["Replicas:", "NewReplicaSet:"],
    "describe rs": ["exceeded quota", "forbidden"],
    "describe pvc": ["Pending"],
    "top pods": ["CPU(cores)", "250m", "90Mi"],
    "patch hpa ": ["horizontalpodautoscaler.autoscaling/", "patched"],
    "set resources deploy/": ["resource requirements updated"],
    "delete pod": ['pod "', "deleted"],
    "get hpa": ["api-gateway", "user-service"],
    "get endpointslices": ["user-service-1", "api-gateway-1"],
    "get endpointslices -l kubernetes.io/service-name=api-gateway": ["api-gateway-1"],
    "get statefulset redis -o jsonpath": ['"limits"', '"memory"'],
    "get servicemonitor,podmonitor": ["servicemonitor.monitoring.coreos.com/", "podmonitor.monitoring.coreos.com/"],
    "get prometheus -A": ['k8s: {"matchLabels":{"release":"monitoring"}} {}'],
    "get pvc": ["data-redis-0"],
    "get secret": ["api-gateway-secrets"],
    "get externalsecret": ["api-gateway-secrets"],
    "get networkpolicy": ["api-gateway"],
    "get pdb": ["api-gateway"],
}
"""What a command must print: that of the longest key in it."""


def pod(owner: dict[str, Any], name: str) -> dict[str, Any]:
    """A pod of this owner that was killed for its memory and waits for its next start."""
    template = copy.deepcopy(owner["spec"]["template"])
    killed = {"exitCode": 137, "reason": "OOMKilled", "startedAt": None, "finishedAt": None}
    states = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": killed}}
    containers = [{"name": each["name"], "restartCount": 3, **states} for each in template["spec"]["containers"]]
    phase = "Pending" if name.startswith("redis-sentinel") else "Running"
    status = {"phase": phase, "containerStatuses": containers}
    labels = template["metadata"]["labels"]
    return thing("v1", "Pod", name, labels=labels, spec=template["spec"], status=status)


def thing(version: str, kind: str, name: str, labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": NS, "labels": labels or {}, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **fields}


def event(kind: str, name: str, reason: str, message: str) -> dict[str, Any]:
    about = {"kind": kind, "name": name, "namespace": NS, "uid": f"uid of {name}"}
    said = {"reason": reason, "message": message, "lastTimestamp": "2026-01-01T00:00:00Z", "type": "Warning"}
    return thing("v1", "Event", f"{name}.{reason.lower()}", involvedObject=about, **said)


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def faults(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in objects:
        name, kind = each["metadata"]["name"], each["kind"]
        if kind in {"Deployment", "StatefulSet"}:
            yield (made := pod(each, f"{name}-0" if kind == "StatefulSet" else f"{name}-pod"))
            used = [{"name": name, "usage": {"cpu": "250m", "memory": "90Mi"}}]
            labels = made["metadata"]["labels"]
            yield thing("metrics.k8s.io/v1beta1", "PodMetrics", made["metadata"]["name"], labels, containers=used)
        if kind == "Service":
            labels = {**each["metadata"].get("labels", {}), "kubernetes.io/service-name": name}
            yield thing("discovery.k8s.io/v1", "EndpointSlice", f"{name}-1", labels, endpoints=[])
        if kind == "ExternalSecret":
            yield thing("v1", "Secret", name, type="Opaque")
    yield thing("batch/v1", "Job", "backup-1")
    yield thing("v1", "PersistentVolumeClaim", "data-redis-0", spec={}, status={"phase": "Pending"})
    yield event("Pod", "user-service-pod", "Unhealthy", "Liveness probe failed: timeout")
    yield event("Job", "backup-1", "DeadlineExceeded", "Job was active longer than specified deadline")
    yield event("ReplicaSet", "user-service-1", "FailedCreate", "pods is forbidden: exceeded quota: namespace")
    for name in ("Certificate", "CertificateRequest"):
        yield thing("cert-manager.io/v1", name, "api", status={"conditions": [condition("Ready", "False", "Pending")]})
    issuer = condition("Ready", "False", "ErrRegisterACMEAccount")
    yield thing("cert-manager.io/v1", "ClusterIssuer", "letsencrypt", status={"conditions": [issuer]})
    yield thing("acme.cert-manager.io/v1", "Order", "api", status={"state": "errored", "reason": "429 rateLimited"})
    waits = {"state": "pending", "reason": "Waiting for DNS-01 challenge propagation"}
    yield thing("acme.cert-manager.io/v1", "Challenge", "api", status=waits)
    spec = {"serviceMonitorSelector": {"matchLabels": {"release": "monitoring"}}, "serviceMonitorNamespaceSelector": {}}
    yield thing("monitoring.coreos.com/v1", "Prometheus", "k8s", spec=spec)


@pytest.fixture(scope="module")
def objects(load: Load) -> list[dict[str, Any]]:
    found = [copy.deepcopy(manifest.data) for manifest in load("prod", everything())]
    releases = copy.deepcopy([each for each in found if each["kind"] in {"Deployment", "StatefulSet"}])
    for each in releases:
        each["spec"]["template"]["metadata"].setdefault("annotations", {})["release"] = "2"
    for each in found:
        if each["kind"] == "HorizontalPodAutoscaler":
            limited = condition("ScalingLimited", "True", "TooManyReplicas")
            each["status"] = {"currentReplicas": 8, "desiredReplicas": 8, "conditions": [limited]}
    return [*found, *releases, *faults(found)]


@pytest.fixture
def cluster(objects: list[dict[str, Any]]) -> Iterator[Cluster]:
    with api_server({(each["apiVersion"], each["kind"]) for each in objects}) as cluster:
        for each in copy.deepcopy(objects):
            group = each["apiVersion"].rpartition("/")[0]
            where = each["metadata"].get("namespace", "")
            key = (group, plural(each["kind"]), "" if each["kind"] == "ClusterIssuer" else where)
            cluster.write((*key, each["metadata"]["name"]), each, is_dry=False)
        for each in cluster.of("events", NS):
            about = each["involvedObject"]
            [about["uid"]] = [
                each["metadata"]["uid"]
                for each in cluster.of(plural(about["kind"]), NS)
                if (each["kind"], each["metadata"]["name"]) == (about["kind"], about["name"])
            ]
        yield cluster


def expected(command: str) -> list[str]:
    """What the command's output must contain. Raises ValueError for a command without a case."""
    return CASES[max((part for part in CASES if part in f"{command} "), key=len)]


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in {*RUN_INSIDE, *MENTIONED}])
def test_the_command_shows_or_changes_what_the_page_says(cluster: Cluster, tmp_path: Path, command: str) -> None:
    before = copy.deepcopy(cluster.objects)
    is_about_redis = COMMANDS[command] == ["RedisInstanceDown"]
    command = command.replace("backup-now", "backup-now --dry-run=client")  # kubectl sends it as protobuf
    settings = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(cluster.kubeconfig(tmp_path / "config", ADMINISTRATOR, NS)),
        "NS": NS,
        "POD": "redis-0" if is_about_redis else "user-service-pod",
    }
    done = succeeded(run("bash", "-c", f"set -o pipefail; {command}", env=settings))
    assert [text for text in expected(command) if text not in done.stdout] == [], done.stdout[-3000:]
    is_change = re.search(r" (rollout (undo|restart)|patch|set|delete) ", command) is not None
    assert (cluster.objects != before) == is_change
