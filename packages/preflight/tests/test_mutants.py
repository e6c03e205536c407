"""A correct deployment has no finding; a broken one has the expected finding."""

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from packages.preflight import RULES, Finding, check, check_paths, read
from packages.preflight.tests.mutants import MUTANTS, Mutant, Objects, ingress
from packages.preflight.tests.services import SERVICES

pytestmark = pytest.mark.slow

SOUND = Path(__file__).with_name("sound.yaml")
FoundIn = Callable[[Mutant], tuple[list[Finding], list[Finding]]]
STRANGERS = sorted(SOUND.with_name("strangers").glob("*.yaml"))


@pytest.fixture(scope="module")
def sound() -> Objects:
    return Objects(read([SOUND], SERVICES)[0])


@pytest.fixture(scope="module")
def found_in(sound: Objects) -> FoundIn:
    """All findings in a mutant, and those that name its defect."""

    @cache
    def found_in(mutant: Mutant) -> tuple[list[Finding], list[Finding]]:
        objects = Objects(sound.rendering)
        mutant.mutate(objects)
        found = check(objects.rendering)
        named = [each for each in found if each.object.startswith(mutant.object)]
        return found, [each for each in named if mutant.reported in each.what + each.why]

    return found_in


def test_sound_deployment_has_no_violation():
    assert check_paths([SOUND], SERVICES) == []


@pytest.mark.parametrize("path", STRANGERS, ids=lambda path: path.stem)
def test_deployment_of_strangers_that_runs_well_has_no_violation(path: Path):
    assert check_paths([path], SERVICES) == []


def test_routes_to_other_services_are_not_judged_by_the_gateways_settings(sound: Objects):
    objects = Objects(sound.rendering)
    spec = {"type": "ExternalName", "externalName": "grafana.example.org", "ports": [{"port": 3000}]}
    objects.add({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "grafana"}, "spec": spec})
    route = copy.deepcopy(objects("HTTPRoute", "api-gateway"))
    route["metadata"]["name"] = "grafana"
    rule = {"backendRefs": [{"name": "grafana", "port": 3000}], "timeouts": {"request": "1s"}}
    route["spec"] |= {"hostnames": ["grafana.example.com"], "rules": [rule]}
    objects.add(route)
    objects.add(ingress("grafana", service="grafana", host="grafana.example.org"))
    assert check(objects.rendering) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_found_and_named_with_its_cure(found_in: FoundIn, mutant: Mutant):
    found, named = found_in(mutant)
    assert named, "not found; found instead:\n" + "\n".join(map(str, found))
    assert all(each.cure and each.why for each in found)


def test_each_rule_finds_a_mutant(found_in: FoundIn):
    covered = {each.rule for mutant in MUTANTS for each in found_in(mutant)[1]}
    assert set(RULES) - covered == set()


def test_warnings_are_for_the_strict():
    warnings = [each for path in STRANGERS for each in check_paths([path], SERVICES, is_strict=True)]
    assert {each.severity for each in warnings} == {"warning"}
    assert {"M611", "M300"} <= {each.rule for each in warnings}
