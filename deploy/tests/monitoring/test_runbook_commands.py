"""What the commands of runbooks and troubleshooting.md name exists: workloads, containers, files, management commands."""

import json
import re
from pathlib import Path

import pytest

from deploy.tests.combinations import components
from deploy.tests.conftest import Load
from deploy.tests.monitoring.rule_files import DASHBOARDS, PAGES, ROOT, RUNBOOKS
from packages.preflight.pods import Container

pytestmark = pytest.mark.verify

TROUBLESHOOTING = ROOT / "docs/how-to/troubleshooting.md"
SERVICES = ("api-gateway", "user-service")

VERBS = "get|describe|logs|exec|rollout|top|create|scale|patch|set|delete"
INLINE = rf"`((?:kubectl |(?:{VERBS}) )[^`]+)`"


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


COMMANDS: dict[str, list[str]] = {}
"""Each command with the names of its pages."""
for file in (*PAGES, TROUBLESHOOTING):
    for line in dict.fromkeys(commands(file)):
        COMMANDS.setdefault(line, []).append(file.stem)


def everything() -> tuple[str, ...]:
    return tuple(each for each in components() if each != "keda")


@pytest.fixture(scope="module")
def containers(load: Load) -> dict[str, list[Container]]:
    """Of prod's workloads by name, once with every component, once with one Redis alone."""
    alone = tuple(each for each in everything() if each != "redis-sentinel")
    found: dict[str, list[Container]] = {}
    for each in (workload for added in (everything(), alone) for workload in load("prod", added).workloads):
        found.setdefault(each.name, []).extend(each.containers)
    return found


@pytest.mark.parametrize("command", [each for each in COMMANDS if re.search(" exec | logs ", each)])
def test_what_the_command_names_exists(containers: dict[str, list[Container]], command: str) -> None:
    before, _, inside = command.partition(" -- ")
    names = set(re.findall(r"deploy/([\w-]+)|name=([\w-]+)|(redis[\w-]*)-\d\b", before))
    named = {name for groups in names for name in groups if name}
    assert named <= set(containers)
    there = [each for name in named or containers for each in containers[name]]
    assert set(re.findall(r" -c ([\w-]+)", before)) <= {each.name for each in there}
    mounted = {mount["mountPath"] for each in there for mount in each.data.get("volumeMounts", ())}
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
