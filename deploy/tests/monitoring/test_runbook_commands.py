"""What the commands of runbooks and troubleshooting.md name exists: objects, containers, labels, files, management commands."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.combinations import components
from deploy.tests.conftest import Load
from deploy.tests.monitoring.rule_files import DASHBOARDS, ROOT, RUNBOOKS

pytestmark = pytest.mark.verify

PAGES = sorted(page for page in RUNBOOKS.glob("*.md") if page.stem != "README")
TROUBLESHOOTING = ROOT / "docs/how-to/troubleshooting.md"
KINDS = {
    "deploy": "Deployment",
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "hpa": "HorizontalPodAutoscaler",
    "cronjob": "CronJob",
    "cronjobs": "CronJob",
    "svc": "Service",
    "job": "Job",
    "jobs": "Job",
    "pod": "Pod",
    "pods": "Pod",
    "endpointslices": "EndpointSlice",
}
MADE_BY = {"Pod": ("Deployment", "StatefulSet", "CronJob"), "Job": ("CronJob",), "EndpointSlice": ("Service",)}
"""The objects that the cluster creates, and their owners."""

SERVICES = ("api-gateway", "user-service")

VERBS = "get|describe|logs|exec|rollout|top|create|scale|patch|set|delete"


def commands(page: Path) -> list[str]:
    """Every kubectl line of a page, with each service for $SERVICE, and the management commands that change nothing.

    In tables the word kubectl may be missing.
    """
    text = page.read_text().replace(" NS ", " $NS ").replace(" POD ", " $POD ")
    lines = re.findall(r"^(?: {4})?kubectl [^\n]*?(?=  +#|$)", text, re.MULTILINE)
    lines += [f"kubectl {line.removeprefix('kubectl ')}" for line in re.findall(INLINE, text)]
    lines += re.findall(r"`(python manage_\w+\.py (?![^`]*--repair)[^`]+)`", text)
    lines += re.findall(r"^ {4}(python manage_\w+\.py .*?)(?=  +#|$)", text, re.MULTILINE)
    return [re.sub(r"\$SERVICE\b|CONTAINER", service, line.strip()) for line in lines for service in SERVICES]


INLINE = rf"`((?:kubectl |(?:{VERBS}) )[^`]+)`"


CASES = [
    pytest.param(command, id=f"{page.stem}: {command[:60]}")
    for page in (*PAGES, TROUBLESHOOTING)
    for command in dict.fromkeys(commands(page))
]


def everything() -> tuple[str, ...]:
    """All components but keda, which replaces the autoscalers."""
    return tuple(each for each in components() if each != "keda")


@pytest.fixture(scope="module")
def cluster(load: Load) -> list[dict[str, Any]]:
    """The cluster's objects: prod, once with every component, once with one Redis alone."""
    alone = tuple(each for each in everything() if each != "redis-sentinel")
    return [manifest.data for added in (everything(), alone) for manifest in load("prod", added)]


def pod_template(data: dict[str, Any]) -> dict[str, Any]:
    """The template of the pods that this object makes."""
    spec = data["spec"].get("jobTemplate", {}).get("spec", data["spec"])
    template: dict[str, Any] = spec["template"]
    return template


def labels(kind: str, data: dict[str, Any]) -> dict[str, str]:
    """The labels of an object of this kind, or of the objects that `data` creates."""
    if kind == "Pod":
        return dict(pod_template(data)["metadata"]["labels"])
    if kind == "Job":
        return dict(data["spec"]["jobTemplate"].get("metadata", {}).get("labels", {}))
    made = {"kubernetes.io/service-name": data["metadata"]["name"]} if kind == "EndpointSlice" else {}
    return {**data["metadata"].get("labels", {}), **made}


def makers(cluster: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The objects of a kind, or those that create them."""
    return [data for data in cluster if data["kind"] in MADE_BY.get(kind, (kind,))]


def containers(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of its pods by name."""
    spec = pod_template(data)["spec"]
    return {each["name"]: each for each in (*spec["containers"], *spec.get("initContainers", ()))}


def named(cluster: list[dict[str, Any]], word: str) -> list[dict[str, Any]]:
    """The objects that `deploy/x` or the pod `redis-0` names; empty for other words."""
    if found := re.fullmatch(r"(\w+)/([\w-]+)", word):
        kind = KINDS[found[1]]
        return [data for data in makers(cluster, kind) if data["metadata"]["name"] == found[2]]
    found = re.fullmatch(r"([\w-]+)-\d+", word)
    return [data for data in makers(cluster, "StatefulSet") if found and data["metadata"]["name"] == found[1]]


def option(words: list[str], name: str) -> str | None:
    """The value of a short option."""
    return words[words.index(name) + 1] if name in words else None


@pytest.mark.parametrize("command", CASES)
def test_what_the_command_names_exists(cluster: list[dict[str, Any]], command: str) -> None:
    words = shlex.split(command.split(" | ")[0])
    before = words[: words.index("--")] if "--" in words else words
    found = {word: named(cluster, word) for word in before[1:] if re.fullmatch(r"\w+/[\w-]+|redis-\d+", word)}
    assert all(found.values()), f"one of {[*found]} is not there"
    if (container := option(before, "-c")) is not None:
        holders = [data for objects in found.values() for data in objects] or makers(cluster, "Pod")
        assert any(container in containers(data) for data in holders), f"no container {container}"
    if (selector := option(before, "-l")) is not None:
        wanted = dict(pair.split("=") for pair in selector.split(","))
        asked = before[before.index("get") + 1].split(",") if "get" in before else ["pods"]
        for kind in (KINDS[word] for word in asked):
            assert any(wanted.items() <= labels(kind, data).items() for data in makers(cluster, kind)), f"no {kind}"
    for kind, name in re.findall(r"\b(hpa|statefulset|get deploy) ([a-z][\w-]+)", " ".join(before)):
        assert named(cluster, f"{kind.split()[-1]}/{name}"), f"no {kind} {name}"


@pytest.mark.parametrize("command", [case for case in CASES if " exec " in str(case.values[0])])
def test_what_is_run_inside_exists_there(cluster: list[dict[str, Any]], command: str) -> None:
    before, _, inside = command.partition(" -- ")
    inhabited = [container for data in makers(cluster, "Pod") for container in containers(data).values()]
    mounted = {mount["mountPath"] for container in inhabited for mount in container.get("volumeMounts", ())}
    assert set(re.findall(r"/run/secrets/[\w-]+", inside)) <= mounted
    for manage, name in re.findall(r"manage_(\w+)\.py (\w+)", inside):
        assert (ROOT / f"{manage}_site" / "management" / "commands" / f"{name}.py").is_file()
        service = {"gateway": "api-gateway", "users": "user-service"}[manage]
        assert f"deploy/{service} " in before + " ", f"{manage} is not in that image"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_variable_is_said_in_the_readme(page: Path) -> None:
    declared = set(re.findall(r"\b([A-Z]+)=", (RUNBOOKS / "README.md").read_text().split("```sh")[1].split("```")[0]))
    text = page.read_text()
    used = set(re.findall(r"\$\{?([A-Z]+)\b", "".join(re.findall(r"```sh.*?```|`[^`]+`", text, re.DOTALL))))
    assert used <= declared


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_panel_that_is_named_is_on_a_dashboard(page: Path) -> None:
    titles = [panel["title"].lower() for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]
    named_panels = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", re.sub(r"`[^`]*`", "", page.read_text()))
    assert [name for name in named_panels if not any(name.lower() in title for title in titles)] == []
