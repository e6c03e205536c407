"""The pipeline's permissions, and the secrets that the operator reads, in every rendering."""

import re
from functools import cache
from typing import Any

import pytest
import yaml

from deploy.tests.combinations import INSTEAD, NEEDS, OVERLAYS, components
from deploy.tests.conftest import DEPLOY, Load
from deploy.tests.pipelines.cluster import plural
from packages.preflight import render

pytestmark = pytest.mark.slow

Right = tuple[str, str]
"""API group and resource."""

ADMINISTRATORS = {("", "namespaces"), ("kyverno.io", "policies")}
"""Applied by an administrator; the pipeline may read it, and an apply without a change sends nothing."""

NOT_IN_PROD = {"chaos"}
"""Components without rights in prod, as their READMEs say."""

environments = pytest.mark.parametrize("environment", OVERLAYS)


@cache
def access(environment: str) -> tuple[dict[str, Any], dict[str, Any]]:
    role, binding = yaml.safe_load_all(render(DEPLOY / "argocd" / "access" / environment))
    return role, binding


def rights(environment: str) -> dict[Right, set[str]]:
    return {
        (group, resource): set(rule["verbs"])
        for rule in access(environment)[0]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def needed(objects: list[dict[str, Any]]) -> dict[Right, set[str]]:
    found = {(each["apiVersion"].rpartition("/")[0], plural(each["kind"])) for each in objects}
    return {right: {"get"} if right in ADMINISTRATORS else {"get", "create", "patch"} for right in found}


def lacking(environment: str, objects: list[dict[str, Any]]) -> set[Right]:
    may = rights(environment)
    return {right for right, verbs in needed(objects).items() if not verbs <= may.get(right, set())}


@environments
def test_the_pipeline_may_apply_each_overlay_with_every_component(load: Load, environment: str):
    left_out = NOT_IN_PROD if environment == "prod" else set()
    most = [each for each in components() if each not in INSTEAD and each not in left_out]
    for added in (most, INSTEAD):
        assert lacking(environment, [each.data for each in load(environment, added)]) == set()


@pytest.mark.parametrize("component", NOT_IN_PROD)
def test_the_pipeline_may_not_apply_in_prod_what_does_not_belong_there(load: Load, component: str):
    assert lacking("prod", [each.data for each in load("prod", [component])]) != set()


@environments
def test_the_pipeline_may_apply_what_argo_cd_syncs(environment: str):
    objects = list(yaml.safe_load_all(render(DEPLOY / "argocd" / "environments" / environment)))
    assert lacking(environment, objects) == set()


@environments
def test_the_namespace_that_the_pipeline_applies_is_the_one_that_the_administrator_applied(environment: str):
    file = DEPLOY / "kustomize" / "overlays" / environment / "namespace.yaml"
    objects = yaml.safe_load_all(render(DEPLOY / "argocd" / "environments" / environment))
    assert next(each for each in objects if each["kind"] == "Namespace") == yaml.safe_load(file.read_text())


@environments
def test_the_pipeline_reads_no_secret_of_worth_grants_nothing_and_deletes_settings_only(environment: str):
    may = rights(environment)
    is_dev = environment == "dev"
    assert (("", "secrets") in may) == is_dev, "dev's are in the repository"
    assert (("", "pods/portforward") in may) == is_dev, "the others have a door"
    settings = {("", "configmaps"), ("", "secrets")} if is_dev else {("", "configmaps")}
    assert {right for right, verbs in may.items() if "delete" in verbs} == settings
    assert not [
        right for right in may if right[0].startswith("rbac") or right[1] in {"pods/exec", "serviceaccounts/token"}
    ]
    assert not [verbs for verbs in may.values() if {"*", "escalate", "bind", "impersonate"} & verbs]


@environments
def test_who_deploys_to_one_environment_deploys_to_no_other(environment: str):
    role, binding = access(environment)
    namespace = f"devops-challenge-{environment}"
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == namespace
    assert role["rules"][0]["resourceNames"] == [namespace]
    assert [subject["name"] for subject in binding["subjects"]] == [f"users-gateway-deployers-{environment}"]


def wanted(objects: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The keys of each secret that the operator reads for a rendering."""
    found: dict[str, set[str]] = {}
    for each in objects:
        if each["kind"] == "ExternalSecret":
            for data in each["spec"]["data"]:
                found.setdefault(data["remoteRef"]["key"], set()).add(data["remoteRef"]["property"])
    return found


@pytest.mark.parametrize("component", components())
def test_readme_creates_the_keys_that_only_the_component_reads(load: Load, component: str):
    text = (DEPLOY / "kustomize" / "components" / component / "README.md").read_text(encoding="utf-8")
    added = set(re.findall(r"^add_key ([\w-]+) ([\w-]+)$", text, re.MULTILINE))
    alone, with_it = (
        {
            (secret.partition("/")[2], key)
            for secret, found in wanted([each.data for each in load("prod", names)]).items()
            for key in found
        }
        for names in ((), (*NEEDS.get(component, ()), component))
    )
    assert with_it - alone == added
