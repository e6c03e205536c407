"""Objects that the API server refuses or overwrites: unknown kinds, collisions, wrong YAML types, dangling bindings."""

import re
from difflib import get_close_matches
from typing import Any

from packages.preflight.kinds import BETA, BUILT_IN, GROUPS
from packages.preflight.objects import Manifest, items, mapping, text
from packages.preflight.pods import Workload, workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering

_BUILT_IN_KINDS = frozenset(kind for kinds in GROUPS.values() for kind in kinds)


@rule("M003", "manifests", why="the API server refuses it (no matches for kind), and its dependents fail")
def unknown_kind(_: Rendering, manifest: Manifest) -> Hits:
    if cure := _unserved(manifest):
        yield Hit(f"unknown kind {manifest.kind!r} in apiVersion {manifest.api_version!r}", cure)


def _unserved(manifest: Manifest) -> str:
    """The cure for a kind that certainly does not exist; "" for kinds that may be custom resources."""
    group, _, version = manifest.api_version.rpartition("/")
    versions = [each for each, names in BUILT_IN.items() if manifest.kind in names.split()]
    cure = f"write apiVersion: {versions[-1]}" if versions else "write them as `kubectl api-resources` does"
    if group not in GROUPS:
        similar = get_close_matches(group, [each for each in GROUPS if manifest.kind in GROUPS[each]], 1, 0.9)
        return cure if similar or "." not in group else ""  # a custom group has a dot
    if manifest.kind in BUILT_IN.get(manifest.api_version, "").split():
        return ""
    if manifest.kind in GROUPS[group]:
        return "" if "beta" in version and manifest.kind in BETA else cure
    close = get_close_matches(manifest.kind, sorted(GROUPS[group]), 1, 0.8)
    is_stable = re.fullmatch(r"v\d", version)
    return cure if versions else f"write kind: {close[0]}" if close else cure if is_stable else ""


def corrected(rendering: Rendering) -> Rendering:
    """The rendering with misspelt kinds corrected, so that other rules see these objects."""
    manifests = []
    for manifest in rendering:
        names = BUILT_IN.get(manifest.api_version, "").split()
        close = [] if manifest.kind in names else get_close_matches(manifest.kind, names, n=1)
        manifests.append(Manifest({**manifest.data, "kind": close[0]}, manifest.source) if close else manifest)
    return Rendering(manifests, rendering.services)


@rule("M005", why="the later one overwrites the earlier", cure="rename or remove one")
def two_objects_of_one_identity(rendering: Rendering) -> Hits:
    seen: dict[tuple[str, ...], Manifest] = {}
    for manifest in rendering:
        identity = (manifest.group, manifest.kind, manifest.namespace, manifest.name)
        if manifest.name and seen.setdefault(identity, manifest) is not manifest:
            yield Hit(f"appears twice in namespace {manifest.namespace!r}", on=manifest)


@rule("M006", why="it is refused, or runs apart from its Services and Secrets")
def object_in_a_namespace_that_is_not_created(rendering: Rendering) -> Hits:
    made = sorted(manifest.name for manifest in rendering.of("Namespace"))
    is_own = bool(set(made) & rendering.own_namespaces)  # other objects may get a namespace by -n
    for manifest in rendering:
        if not made or manifest.namespace in {"", *made} or manifest.kind not in _BUILT_IN_KINDS:
            continue
        # A namespace that is unlike those rendered here (kube-system, monitoring) is created elsewhere.
        if manifest.namespace == "default" or get_close_matches(manifest.namespace, made, 1, 0.8):
            what = f"is in namespace {manifest.namespace!r}, the rendering creates {', '.join(made)}"
            yield Hit(what, f"set its namespace to {made[0]}", is_certain=is_own, on=manifest)


@rule("M007", "manifests")
def number_or_boolean_where_text_must_stand(_: Rendering, manifest: Manifest) -> Hits:
    found: dict[str, dict[str, Any]] = {"label": manifest.labels, "annotation": manifest.annotations}
    if manifest.kind in {"ConfigMap", "Secret"}:
        found["key"] = {**mapping(manifest.data, "data"), **mapping(manifest.data, "stringData")}
    if pods := workload(manifest):
        found |= {"pod label": pods.labels, "pod annotation": pods.annotations}
        variables = (each for container in pods.containers for each in items(container.data, "env"))
        found["variable"] = {text(each, "name"): each.get("value") for each in variables}
    for where, values in found.items():
        for key, value in values.items():
            if value is not None and not isinstance(value, str):
                shown = str(value).lower() if isinstance(value, bool) else value
                yield Hit(f"{where} {key} is {shown}, which YAML does not read as text", f'write "{shown}"')


@rule("M009", "RoleBinding", "ClusterRoleBinding", why="it grants nothing")
def role_binding_without_its_role_or_subject(rendering: Rendering, binding: Manifest) -> Hits:
    kind, name = text(binding.data, "roleRef", "kind"), text(binding.data, "roleRef", "name")
    if kind in {"Role", "ClusterRole"} and not rendering.is_known(kind, name, binding.namespace * (kind == "Role")):
        yield Hit(f"{kind} {name!r} does not exist", f"render the {kind}, or correct the name")
    for subject in (each for each in items(binding.data, "subjects") if text(each, "kind") == "ServiceAccount"):
        account, namespace = text(subject, "name"), text(subject, "namespace") or binding.namespace
        # If the pods of a namespace are elsewhere, its accounts are too.
        is_rendered = rendering.pods(namespace) and not namespace.startswith("kube-")
        if is_rendered and not rendering.is_known("ServiceAccount", account, namespace):
            yield Hit(f"ServiceAccount {account!r} does not exist", "render it, or correct the name")


@rule("M010", "workloads", why="no pod is created: forbidden, not found", cure="render it, or correct the name")
def account_or_priority_class_that_does_not_exist(rendering: Rendering, each: Workload) -> Hits:
    for kind, field, namespace in (
        ("ServiceAccount", "serviceAccountName", each.namespace),
        ("PriorityClass", "priorityClassName", ""),
    ):
        name = text(each.spec, field)
        if name and not rendering.is_known(kind, name, namespace):
            yield f"{kind} {name!r} does not exist"
