"""The classic broken deployment: each of its mistakes is named, though the first alone keeps all from being applied."""

from pathlib import Path

import pytest
import yaml

from packages.preflight import check, check_paths
from packages.preflight.objects import Manifest, Rendering

BROKEN = Path(__file__).with_name("broken.yaml")

MISTAKES = {
    "kind with a typing error": "unknown kind 'Deploymentt'",
    "no replicas": "replicas is 0",
    "label unlike the selector": "does not match the labels of its own pods",
    "image without registry": "names no registry",
    "image that moves": "the moving tag latest",
    "wrong container port": "declares port 8080, api-gateway listens on 3000",
    "misspelt upstream": "names host 'userservice', which no Service serves",
    "request no node has": "requests 8Gi of memory",
    "limit below request": "requests cpu 4000m, above its limit 100m",
    "probe path that nobody serves": "asks /healthz, which api-gateway does not serve",
    "probe each second": "periodSeconds 1",
    "no second chance": "failureThreshold 1",
    "Service that selects nothing": "its selector (app=gateway) matches no pod",
}


@pytest.mark.parametrize("says", MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_named(says: str):
    assert [each for each in check_paths([BROKEN]) if says in each.what]


def test_violation_is_one_line_of_object_what_why_and_cure():
    for violation in check_paths([BROKEN]):
        line = str(violation)
        assert "\n" not in line
        assert line.startswith(f"{violation.object}: {violation.what} — ")
        assert len(line.split(" — ")) == 3


STRANGE = """
{}
---
{apiVersion: apps/v1, kind: Deployment}
---
{apiVersion: apps/v1, kind: Deployment, metadata: null, spec: []}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {spec: {containers: none}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [1, null], selector: [a]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: 1, labels: 2}, spec: {containers: [{env: {}, ports: [{}], resources: 1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{image: 1, command: sh, livenessProbe: [], args: [1]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x}, spec: {ingress: {from: 1}, policyTypes: 3}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: x}, spec: {maxReplicas: ten}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: x}, spec: {minAvailable: {}, selector: 1}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {1: null}}
---
{apiVersion: [v1], kind: {a: 1}, metadata: x}
"""


@pytest.mark.parametrize("data", list(yaml.safe_load_all(STRANGE)), ids=str)
def test_no_shape_of_data_breaks_a_rule(data: dict[str, object]):
    check(Rendering([Manifest(data)]))
