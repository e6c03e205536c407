"""What the commands of runbooks and troubleshooting.md name exists: workloads, containers, files, management commands."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.combinations import components
from deploy.tests.conftest import Load
from deploy.tests.monitoring.rule_files import DASHBOARDS, ROOT, RUNBOOKS

pytestmark = pytest.mark.verify

PAGES = sorted(page for page in RUNBOOKS.glob("*.md") if page.stem != "README")
TROUBLESHOOTING = ROOT / "docs/how-to/troubleshooting.md"
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


INSIDE = [
    pytest.param(command, id=f"{page.stem}: {command[:60]}")
    for page in (*PAGES, TROUBLESHOOTING)
    for command in dict.fromkeys(commands(page))
    if re.search(" exec | logs ", command)
]
"""The others are run by test_runbook_cluster.py."""


def everything() -> tuple[str, ...]:
    return tuple(each for each in components() if each != "keda")


def pod_template(data: dict[str, Any]) -> dict[str, Any]:
    spec = data["spec"].get("jobTemplate", {}).get("spec", data["spec"])
    template: dict[str, Any] = spec["template"]
    return template


@pytest.fixture(scope="module")
def workloads(load: Load) -> dict[str, list[dict[str, Any]]]:
    """The containers of prod's workloads, once with every component, once with one Redis alone."""
    alone = tuple(each for each in everything() if each != "redis-sentinel")
    found: dict[str, list[dict[str, Any]]] = {}
    for each in (manifest for added in (everything(), alone) for manifest in load("prod", added)):
        if each.kind in {"Deployment", "StatefulSet", "CronJob"}:
            spec = pod_template(each.data)["spec"]
            found.setdefault(each.name, []).extend([*spec["containers"], *spec.get("initContainers", ())])
    return found


@pytest.mark.parametrize("command", INSIDE)
def test_what_the_command_names_exists(workloads: dict[str, list[dict[str, Any]]], command: str) -> None:
    before, _, inside = command.partition(" -- ")
    names = set(re.findall(r"deploy/([\w-]+)|name=([\w-]+)|(redis[\w-]*)-\d\b", before))
    named = {name for groups in names for name in groups if name}
    assert named <= set(workloads)
    containers = [each for name in named or workloads for each in workloads[name]]
    assert set(re.findall(r" -c ([\w-]+)", before)) <= {each["name"] for each in containers}
    mounted = {mount["mountPath"] for each in containers for mount in each.get("volumeMounts", ())}
    assert set(re.findall(r"/run/secrets/[\w-]+", inside)) <= mounted
    for manage, name in re.findall(r"manage_(\w+)\.py (\w+)", inside):
        assert (ROOT / f"{manage}_site" / "management" / "commands" / f"{name}.py").is_file()
        assert named == {{"gateway": "api-gateway", "users": "user-service"}[manage]}, "the image of another service"


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
