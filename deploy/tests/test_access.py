"""The pipeline's permissions, and the secrets that the operator reads, in every rendering."""

import re

import pytest
import yaml

from deploy.tests.combinations import INSTEAD, NEEDS, OVERLAYS, components
from deploy.tests.conftest import DEPLOY, Load
from deploy.tests.pipelines.cluster import plural
from packages.preflight import Rendering

pytestmark = pytest.mark.slow

Right = tuple[str, str]
"""API group and resource."""

ADMINISTRATORS = {("", "namespaces"), ("kyverno.io", "policies")}
"""Applied by an administrator; the pipeline may read it, and an apply without a change sends nothing."""

NOT_IN_PROD = {"chaos"}
"""Components without rights in prod, as their READMEs say."""

environments = pytest.mark.parametrize("environment", OVERLAYS)


def rights(load: Load, environment: str) -> dict[Right, set[str]]:
    [role] = load(f"argocd/access/{environment}").of("Role")
    return {
        (group, resource): set(rule["verbs"])
        for rule in role.data["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def lacking(may: dict[Right, set[str]], objects: Rendering) -> set[Right]:
    """What an apply of the objects needs and the rights do not give."""
    found = {(each.group, plural(each.kind)) for each in objects}
    needed = {right: {"get"} if right in ADMINISTRATORS else {"get", "create", "patch"} for right in found}
    return {right for right, verbs in needed.items() if not verbs <= may.get(right, set())}


@environments
def test_the_pipeline_may_apply_each_overlay_with_every_component(load: Load, environment: str):
    left_out = NOT_IN_PROD if environment == "prod" else set()
    most = [each for each in components() if each not in INSTEAD and each not in left_out]
    for added in (most, INSTEAD):
        assert lacking(rights(load, environment), load(environment, added)) == set()


@pytest.mark.parametrize("component", NOT_IN_PROD)
def test_the_pipeline_may_not_apply_in_prod_what_does_not_belong_there(load: Load, component: str):
    assert lacking(rights(load, "prod"), load("prod", [component])) != set()


@environments
def test_the_pipeline_may_apply_what_argo_cd_syncs(load: Load, environment: str):
    assert lacking(rights(load, environment), load(f"argocd/environments/{environment}")) == set()


@environments
def test_the_namespace_that_the_pipeline_applies_is_the_one_that_the_administrator_applied(
    load: Load, environment: str
):
    file = DEPLOY / "kustomize" / "overlays" / environment / "namespace.yaml"
    [namespace] = load(f"argocd/environments/{environment}").of("Namespace")
    assert namespace.data == yaml.safe_load(file.read_text())


@environments
def test_the_pipeline_reads_no_secret_of_worth_grants_nothing_and_deletes_settings_only(load: Load, environment: str):
    may = rights(load, environment)
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
def test_who_deploys_to_one_environment_deploys_to_no_other(load: Load, environment: str):
    role, binding = load(f"argocd/access/{environment}").of("Role", "RoleBinding")
    assert role.namespace == binding.namespace == f"devops-challenge-{environment}"
    assert role.data["rules"][0]["resourceNames"] == [role.namespace]
    assert [subject["name"] for subject in binding.data["subjects"]] == [f"users-gateway-deployers-{environment}"]


def wanted(objects: Rendering) -> dict[str, set[str]]:
    """The keys of each secret that the operator reads for a rendering."""
    found: dict[str, set[str]] = {}
    for each in objects.of("ExternalSecret"):
        for data in each.spec["data"]:
            found.setdefault(data["remoteRef"]["key"], set()).add(data["remoteRef"]["property"])
    return found


@pytest.mark.parametrize("component", components())
def test_readme_creates_the_keys_that_only_the_component_reads(load: Load, component: str):
    text = (DEPLOY / "kustomize" / "components" / component / "README.md").read_text(encoding="utf-8")
    added = set(re.findall(r"^add_key ([\w-]+) ([\w-]+)$", text, re.MULTILINE))
    alone, with_it = (
        {(secret.partition("/")[2], key) for secret, found in wanted(load("prod", names)).items() for key in found}
        for names in ((), (*NEEDS.get(component, ()), component))
    )
    assert with_it - alone == added
