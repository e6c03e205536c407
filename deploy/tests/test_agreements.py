"""Values that several files repeat are equal."""

import re
import runpy
import secrets
import sys
from pathlib import Path

import pytest
import yaml

from deploy.tests.combinations import OVERLAYS, Combination, cases, components
from deploy.tests.conftest import DEPLOY, Load
from deploy.tests.programs import run, succeeded
from gateway_site.management.own_services import own_services
from packages.preflight import Rendering, Service
from packages.preflight.edges import implied
from packages.preflight.network import is_open
from packages.preflight.objects import items, mapping, text
from packages.preflight.pods import Workload

ROOT = DEPLOY.parent
GATEWAY, USERS = SERVICES = own_services()
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")

NOT_IN_CONFIG_MAPS = {
    "APP_VERSION": "the image sets it",
    "APP_REVISION": "the image sets it",
    "HOST": "a container listens on every interface",
    "DATA_DIR": "for a checkout: where `make run` keeps its store",
    "WEB_CONCURRENCY": "one process a pod: replicas are how this scales",
    "ROUTES": "USER_SERVICE_URL is the one route; a file of routes is mounted by whoever has more",
    "PUBLIC_URL": "links follow the request's host, unless an overlay sets it",
    "SILENCED_SYSTEM_CHECKS": "for a checkout: warnings of `check`",
    "SECRET_KEY": "a Secret, mounted",
    "REDIS_PASSWORD": "a Secret, mounted",
    "RATE_LIMIT_STORE_PASSWORD": "a Secret, mounted, and named by the component shared-rate-limit",
    "REDIS_URL": "REDIS_HOST and REDIS_PORT here; the components redis-sentinel and redis-cluster set it",
}
"""Settings that the base leaves out of a service's ConfigMap, and why."""


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_config_map_keys_equal_the_settings(load: Load, service: Service):
    process = next(each for each in load("prod").servers if each.service is service)
    names = {
        re.sub(r"-\w{10}$", "", text(each, "configMapRef", "name")) for each in items(process.container.data, "envFrom")
    }
    assert names == {f"{service.name}-settings"}
    config = next(each for each in load("prod").of("ConfigMap") if each.name.startswith(f"{service.name}-settings"))
    assert set(mapping(config.data, "data")) == service.settings - set(NOT_IN_CONFIG_MAPS)
    given = {name.removesuffix("_FILE") for name in set(process.environment) - set(mapping(config.data, "data"))}
    assert given <= {"SECRET_KEY", "REDIS_PASSWORD"}


@pytest.mark.parametrize("added", [(), ("tokens",)], ids=" ".join)
def test_prod_is_guarded(load: Load, tmp_path: Path, added: tuple[str, ...]):
    """The gateway's own check finds nothing in prod's settings: neither AUTH (W010) nor RATE_LIMIT (W015)."""
    config_maps = load("prod", added).of("ConfigMap")
    config = next(each for each in config_maps if each.name.startswith(f"{GATEWAY.name}-settings"))
    mounted = tmp_path / "api-keys"
    mounted.write_text("")
    settings = {"SECRET_KEY": secrets.token_hex(32), "AUTH_API_KEYS_FILE": str(mounted)}
    command = (sys.executable, "manage_gateway.py", "check", "--deploy", "--fail-level", "WARNING")
    succeeded(run(*command, env={**mapping(config.data, "data"), **settings}))


def _reachable(rendering: Rendering) -> set[tuple[str, str, int]]:
    """Every connection between pods of the rendering, to a port that the other declares, that the policies let pass."""
    pods = rendering.workloads
    return {
        (source.manifest.name, target.manifest.name, port["containerPort"])
        for source in pods
        for target in pods
        for container in target.running
        for port in container.ports
        if is_open(rendering, source, "Egress", target, port["containerPort"])
        and is_open(rendering, target, "Ingress", source, port["containerPort"])
    }


SENTINEL = {
    ("redis", "redis", 6379): "replicas follow the primary",
    ("redis", "redis-sentinel", 26379): "a server that starts asks whom to follow",
    ("redis-sentinel", "redis", 6379): "the sentinels watch the servers",
    ("redis-sentinel", "redis-sentinel", 26379): "the sentinels agree among themselves",
}
CLUSTER = {
    ("redis-cluster", "redis-cluster", 6379): "replicas follow their primaries, node.sh asks its peers",
    ("redis-cluster", "redis-cluster", 16379): "the bus",
}
OWN = {"redis-sentinel": SENTINEL, "redis-cluster": CLUSTER}
"""Connections that follow from Redis's own configuration, not from a setting of ours."""


@pytest.mark.parametrize("combination", [each for each in cases() if len(each.values[0][1]) <= 1])
def test_network_policies_open_what_the_settings_imply_and_nothing_else(load: Load, combination: Combination):
    overlay, added = combination
    rendering = load(overlay, added)
    wanted = {
        (source.manifest.name, target.manifest.name, port)
        for source, target, port, _ in implied(rendering)
        if isinstance(target, Workload)
    }
    wanted |= {edge for each in added for edge in OWN.get(each, {})}
    if "redis-sentinel" not in added:
        assert {("api-gateway", "user-service", 3001), ("user-service", "redis", 6379)} <= wanted
    assert _reachable(rendering) == wanted


def test_diagram_draws_each_connection_between_pods_and_no_other(load: Load):
    document = (ROOT / "docs" / "explanation" / "deployment.md").read_text(encoding="utf-8")
    diagram = document.split("```mermaid")[1].split("```")[0]
    rendering = load("prod", components())
    workloads = {each.manifest.name for each in rendering.workloads}
    named = re.findall(r'^ +(\w+)\[\(?"([a-z-]+)', diagram, re.MULTILINE)
    pods = {node: name for node, name in named if name in workloads}
    assert len(pods) > 5
    drawn = set()
    for line in diagram.splitlines():
        nodes = re.split(r"\s+(?:-->|-\.->)\|:?([^|]*)\|\s+", line.strip())
        drawn |= {
            (pods[source], pods[target], int(port))
            for source, port, target in zip(nodes[::2], nodes[1::2], nodes[2::2], strict=False)
            if source in pods and target in pods
        }
    among_themselves = {edge for edge in SENTINEL | CLUSTER if edge != ("redis-sentinel", "redis", 6379)}
    assert drawn == _reachable(rendering) - among_themselves


def _dockerfile_stage(name: str) -> str:
    return DOCKERFILE.split(f" AS {name}\n")[1].split("\nFROM ")[0]


def test_image_user_is_the_pods_user(load: Load):
    assert "\nUSER 1001:1001\n" in _dockerfile_stage("final")
    for workload in load("prod", components()).workloads:
        context = mapping(workload.spec, "securityContext")
        assert (context.get("runAsUser"), context.get("runAsGroup")) == (1001, 1001), workload


def _images(rendering: Rendering) -> set[str]:
    return {container.image for workload in rendering.workloads for container in workload.containers}


def test_redis_is_one_image_everywhere(load: Load):
    images = {image for overlay in OVERLAYS for image in _images(load(overlay, components())) if "valkey" in image}
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert images == {compose["services"]["redis"]["image"]}


def test_images_are_named_alike_in_overlays_policy_and_workflows(load: Load):
    ours = {image.rpartition(":")[0] for image in _images(load("prod")) if "ghcr.io" in image}
    assert {image.rpartition("/")[2] for image in ours} == {service.name for service in SERVICES}
    assert ours == {image.rpartition(":")[0] for image in _images(load("staging")) if "ghcr.io" in image}
    policy = load("prod", ("signed-images",)).of("Policy")[0]
    pattern = policy.spec["rules"][0]["verifyImages"][0]["imageReferences"][0]
    assert all(image.startswith(pattern.removesuffix("*")) for image in ours)
    for workflow in sorted((ROOT / ".github" / "workflows").glob("*.y*ml")):
        for target in re.findall(r"target:\s*(\w+)\s*$", workflow.read_text(encoding="utf-8"), re.MULTILINE):
            assert f" AS {target}\n" in DOCKERFILE, f"{workflow.name} builds {target}"


def test_component_monitoring_is_made_of_deploy_monitoring():
    made = runpy.run_path(str(DEPLOY / "bin" / "monitoring_component.py"))["MADE"]
    for file, make in made.items():
        there = (DEPLOY / "kustomize" / "monitoring" / file).read_text(encoding="utf-8")
        assert there == make(), "run python deploy/bin/monitoring_component.py"
