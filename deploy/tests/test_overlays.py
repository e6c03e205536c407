"""Each environment: names, numbers, and which objects it has."""

import pytest

from deploy.tests.combinations import OVERLAYS
from deploy.tests.conftest import Load
from packages.preflight.objects import items

BOUNDS = {
    "dev": {"api-gateway": (1, 2), "user-service": (1, 2)},
    "staging": {"api-gateway": (2, 4), "user-service": (2, 4)},
    "prod": {"api-gateway": (2, 10), "user-service": (2, 8)},
}
SETTINGS = {"dev": ("debug", "true"), "staging": ("info", "false"), "prod": ("warn", "false")}
CPU = {"dev": "50m", "staging": "100m", "prod": "100m"}
REST_MIB = 95
"""A service's memory at rest, arbiter included."""
ABSENT = {
    "dev": {"ExternalSecret", "LimitRange", "PersistentVolumeClaim", "PodDisruptionBudget", "ResourceQuota"},
    "staging": {"Secret"},
    "prod": {"Secret"},
}

overlays = pytest.mark.parametrize("overlay", OVERLAYS)


@overlays
def test_everything_lies_in_a_namespace_that_enforces_restricted(load: Load, overlay: str):
    rendering = load(overlay)
    [namespace] = rendering.of("Namespace")
    assert namespace.name == f"devops-challenge-{overlay}"
    modes = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    assert modes.items() <= namespace.labels.items()
    assert {each.namespace for each in rendering if each.kind != "Namespace"} == {namespace.name}


@overlays
def test_autoscalers(load: Load, overlay: str):
    found = load(overlay).of("HorizontalPodAutoscaler")
    assert {each.name: (each.spec["minReplicas"], each.spec["maxReplicas"]) for each in found} == BOUNDS[overlay]
    for each in found:
        targets = {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"] for m in each.spec["metrics"]}
        assert targets == {"cpu": 70, "memory": 80}
        assert each.spec["behavior"] == {
            "scaleUp": {
                "stabilizationWindowSeconds": 60,
                "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}],
            },
        }


@overlays
def test_settings_images_and_resources(load: Load, overlay: str):
    for process in load(overlay).servers:
        assert (process.environment["LOG_LEVEL"], process.environment["DEBUG"]) == SETTINGS[overlay]
        resources = process.container.data["resources"]
        assert resources["requests"] == {"cpu": CPU[overlay], "memory": "160Mi"}
        assert 160 * 0.8 > 1.2 * REST_MIB, "a pod at rest must not hold the autoscaler at its maximum"
        assert resources["limits"] == {"cpu": "500m", "memory": "256Mi"}
        policy = process.container.data["imagePullPolicy"]
        repository, _, tag = process.container.image.rpartition(":")
        if overlay == "dev":
            assert (repository, tag, policy) == (f"devops-challenge/{process.service.name}", "local", "Never")
        else:
            assert repository == f"ghcr.io/devops-challenge/{process.service.name}"
            assert tag.startswith("sha-")


@overlays
def test_has_what_it_needs_and_no_more(load: Load, overlay: str):
    kinds = {manifest.kind for manifest in load(overlay)}
    claims = [each for each in load(overlay).of("StatefulSet") if items(each.spec, "volumeClaimTemplates")]
    if claims:
        kinds.add("PersistentVolumeClaim")
    assert not kinds & ABSENT[overlay]
    if overlay != "dev":
        assert kinds >= ABSENT["dev"], "prod's shape"


@overlays
def test_probes_have_the_thresholds_that_were_decided(load: Load, overlay: str):
    decided = {
        "startupProbe": ("/health/live", 5, 5, 12, None),
        "livenessProbe": ("/health/live", 15, 20, 3, 5),
        "readinessProbe": ("/health/ready", 10, 10, 3, 3),
    }
    assert len(load(overlay).servers) == 2
    for process in load(overlay).servers:
        for name, expected in decided.items():
            probe = process.container.data[name]
            numbers = (probe[each] for each in ("initialDelaySeconds", "periodSeconds", "failureThreshold"))
            assert (probe["httpGet"]["path"], *numbers, probe.get("timeoutSeconds")) == expected, (process, name)
