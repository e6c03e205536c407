# ruff: noqa: E501 - an object a line
"""The classic broken deployment: each of its mistakes is named, though the first alone keeps all from being applied."""

from pathlib import Path

import pytest
import yaml

from packages.preflight import Manifest, Rendering, check, check_paths
from packages.preflight.tests.services import SERVICES

BROKEN = Path(__file__).with_name("broken.yaml")

MISTAKES = {
    "kind with a typing error": "unknown kind 'Deploymentt'",
    "no replicas": "replicas is 0",
    "label unlike the selector": "does not match the labels of its own pods",
    "image without registry": "names no registry",
    "image that moves": "the moving tag latest",
    "wrong container port": "declares port 8080, api-gateway listens on 3000",
    "misspelt upstream": "names host 'userservice', which is not a Service",
    "request no node has": "requests 8Gi of memory",
    "limit below request": "requests cpu 4000m, above its limit 100m",
    "probe path that is not served": "requests /healthz, which api-gateway does not serve",
    "probe each second": "periodSeconds 1",
    "no second chance": "failureThreshold 1",
    "Service that selects nothing": "its selector (app=gateway) matches no pod",
}


@pytest.mark.parametrize("reported", MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_named(reported: str):
    assert [each for each in check_paths([BROKEN], SERVICES) if reported in each.what]


KINDS = """
{apiVersion: extensions/v1beta1, kind: Ingress} write apiVersion: networking.k8s.io/v1
{apiVersion: app/v1, kind: Deployment} write apiVersion: apps/v1
{apiVersion: networking.k8s.oi/v1, kind: Ingress} write apiVersion: networking.k8s.io/v1
{apiVersion: policy/v1beta1, kind: PodDisruptionBudget} write apiVersion: policy/v1
{apiVersion: v1, kind: Deployment} write apiVersion: apps/v1
{apiVersion: apps/v1, kind: StatefullSet} write kind: StatefulSet
{apiVersion: apps/v1, kind: Thing} write them as `kubectl api-resources` does
"""


@pytest.mark.parametrize("line", KINDS.strip().splitlines())
def test_kind_that_is_not_served_is_named_with_its_cure(line: str):
    written, _, cure = line.partition("} ")
    manifest = Manifest({**yaml.safe_load(written + "}"), "metadata": {"name": "x"}})
    [finding] = check(Rendering([manifest]), only=["M003"])
    assert finding.cure == cure


@pytest.mark.parametrize(
    "written",
    ["kustomize.toolkit.fluxcd.io/v1 Kustomization", "networking.istio.io/v1 Gateway", "postgresql.cnpg.io/v1 Cluster",
     "serving.knative.dev/v1 Service", "networking.k8s.io/v1beta1 ServiceCIDR", "storage.k8s.io/v1alpha1 VolumeMagic"],
)  # fmt: skip
def test_kind_that_a_cluster_may_serve_is_not_judged(written: str):
    version, kind = written.split()
    assert check(Rendering([Manifest({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}})])) == []


STRANGE = """
{}
{apiVersion: apps/v1, kind: Deployment}
{apiVersion: apps/v1, kind: Deployment, metadata: null, spec: []}
{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {spec: {containers: none}}}}
{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [1, null], selector: [a]}}
{apiVersion: v1, kind: Pod, metadata: {name: 1, labels: 2}, spec: {containers: [{env: {}, ports: [{}], resources: 1}]}}
{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{image: 1, command: sh, livenessProbe: [], args: [1]}]}}
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x}, spec: {ingress: {from: 1}, policyTypes: 3}}
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x}, spec: {podSelector: 1, egress: [{to: [{podSelector: a}], ports: [{port: [1]}]}]}}
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: x}, spec: {maxReplicas: ten, metrics: [1, {}]}}
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: x}, spec: {minAvailable: {}, selector: 1}}
{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {1: null}}
{apiVersion: v1, kind: ResourceQuota, metadata: {name: x}, spec: {hard: {1: 2, cpu: much, pods: [1]}}}
{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: x}, data: [1]}
{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: {name: x}, spec: {groups: [{rules: [{expr: 1}]}]}}
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: 1, subjects: [1, {kind: ServiceAccount}]}
{kind: Ingress, metadata: {name: x}, spec: {rules: [{http: {paths: [{backend: {service: {name: y, port: {number: [1]}}}}]}}]}}
{apiVersion: [v1], kind: {a: 1}, metadata: x}
"""


@pytest.mark.parametrize("line", STRANGE.strip().splitlines())
def test_no_shape_of_data_breaks_a_rule(line: str):
    pod = {"kind": "Pod", "metadata": {"name": "api-gateway"}, "spec": {"containers": [{"name": "api-gateway"}]}}
    service = {"kind": "Service", "metadata": {"name": "y"}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}
    check(Rendering([Manifest(yaml.safe_load(line)), Manifest(pod), Manifest(service)], SERVICES), is_strict=True)
