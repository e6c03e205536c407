"""Each environment: names, numbers, and which objects it has. docs/how-to/deploying.md has some of them in a table."""

import re

import pytest

from deploy.tests.combinations import OVERLAYS
from deploy.tests.conftest import DEPLOY, Load
from packages.preflight.objects import items

PAGE = (DEPLOY.parent / "docs/how-to/deploying.md").read_text(encoding="utf-8")
DIFFERENCES = dict(
    re.findall(r"^\| ([^|]+) \| (.+) \|$", PAGE.split("## Differences between environments")[1], re.MULTILINE)
)
CPU = {"dev": "50m", "staging": "100m", "prod": "100m"}
ABSENT = {
    "dev": {"ExternalSecret", "LimitRange", "PersistentVolumeClaim", "PodDisruptionBudget", "ResourceQuota"},
    "staging": {"Secret"},
    "prod": {"Secret"},
}

overlays = pytest.mark.parametrize("overlay", OVERLAYS)


def said(row: str, overlay: str) -> str:
    """What the table says of an environment."""
    return dict(zip(OVERLAYS, DIFFERENCES[row].split(" | "), strict=True))[overlay]


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
    bounds = {each.name: f"{each.spec['minReplicas']}–{each.spec['maxReplicas']}" for each in found}
    assert "{api-gateway} / {user-service}".format(**bounds) == said("replicas, gateway / user service", overlay)
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
        settings = process.environment
        assert f"{settings['DEBUG']}, {settings['LOG_LEVEL']}" == said("`DEBUG`, log level", overlay)
        resources = process.container.data["resources"]
        # The autoscaler's 80 % of it are well above the 95 MiB of a service at rest.
        assert resources["requests"] == {"cpu": CPU[overlay], "memory": "160Mi"}
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
