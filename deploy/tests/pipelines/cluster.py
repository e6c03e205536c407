"""A small Kubernetes cluster in memory: objects, RBAC by the applied Roles, workloads that are ready immediately.

Each template of a Deployment creates a ReplicaSet. No defaults; a patch with the applied configuration replaces the
object.
"""

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Object = dict[str, Any]
ADMINISTRATOR = "system:masters"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
REVISION = "deployment.kubernetes.io/revision"
TO_KNOW = {
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "ControllerRevision"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "Job"),
}
"""Kinds that scripts request, whether or not a rendering has them."""

SHORT = {
    "Deployment": ["deploy"],
    "HorizontalPodAutoscaler": ["hpa"],
    "PersistentVolumeClaim": ["pvc"],
    "PodDisruptionBudget": ["pdb"],
    "ReplicaSet": ["rs"],
    "Service": ["svc"],
}


def plural(kind: str) -> str:
    """The resource of a kind, by English grammar, which API groups use."""
    if kind.endswith("y") and kind[-2] not in "aeiou":
        return f"{kind.lower()[:-1]}ies"
    if kind.endswith("Chaos"):
        return kind.lower()
    if kind == "PodMetrics":
        return "pods"
    return kind.lower() + ("es" if kind.endswith("s") else "s")


class Call(NamedTuple):
    group: str
    verb: str
    resource: str
    name: str


@dataclass
class Cluster:
    """The objects by (group, resource, namespace, name), and the refused calls."""

    kinds: set[tuple[str, str]]
    """Known kinds, with their apiVersion."""
    objects: dict[tuple[str, str, str, str], Object] = field(default_factory=dict)
    refused: list[Call] = field(default_factory=list)
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def kubeconfig(self, file: Path, group: str, namespace: str = "default") -> Path:
        context = {"cluster": "stub", "user": "caller", "namespace": namespace}
        config = {
            "clusters": [{"name": "stub", "cluster": {"server": self.url}}],
            "users": [{"name": "caller", "user": {"as": group}}],
            "contexts": [{"name": "stub", "context": context}],
            "current-context": "stub",
        }
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        return file

    def of(self, resource: str, namespace: str) -> list[Object]:
        return [
            each for (_, what, where, _), each in self.objects.items() if what == resource and namespace in {"", where}
        ]

    def may(self, group: str, namespace: str, call: Call) -> bool:
        """RBAC's decision, by Roles only."""
        if group == ADMINISTRATOR:
            return True
        bound = {
            each["roleRef"]["name"]
            for each in self.of("rolebindings", namespace)
            if {"kind": "Group", "name": group}.items() <= each["subjects"][0].items()
        }
        for role in self.of("roles", namespace):
            if role["metadata"]["name"] in bound and any(_allows(rule, call) for rule in role["rules"]):
                return True
        self.refused.append(call)
        return False

    def write(self, key: tuple[str, str, str, str], given: Object, *, is_dry: bool) -> Object:
        """Creates or replaces an object, with the fields that the server and controllers add."""
        old = self.objects.get(key, {})
        meta, before = given.setdefault("metadata", {}), old.get("metadata", {})
        changed = given.get("spec") != old.get("spec")
        meta.update(uid=before.get("uid", f"uid-{len(self.objects)}"), resourceVersion=str(next(self.versions)))
        meta["generation"] = before.get("generation", 0) + changed
        meta.setdefault("namespace", key[2])
        if given["kind"] in {"Deployment", "StatefulSet"}:
            self._run(given, old, is_dry=is_dry)
        if not is_dry:
            self.objects[key] = given
        return given

    def _run(self, given: Object, old: Object, *, is_dry: bool) -> None:
        spec, meta = given["spec"], given["metadata"]
        spec.setdefault("replicas", old.get("spec", {}).get("replicas", 1))
        names = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas", "currentReplicas")
        given["status"] = {"observedGeneration": meta["generation"], **dict.fromkeys(names, spec["replicas"])}
        number = int(old.get("metadata", {}).get("annotations", {}).get(REVISION, 0))
        if spec["template"] != old.get("spec", {}).get("template"):
            number += 1
        revision = f"{meta['name']}-{number}"
        meta.setdefault("annotations", {})[REVISION] = str(number)
        if given["kind"] == "Deployment":
            kind, content = "ReplicaSet", {"spec": spec}
        else:
            spec.setdefault("updateStrategy", {"type": "RollingUpdate"})
            given["status"].update(updateRevision=revision, currentRevision=revision)
            # The revision holds a patch that replaces the template.
            template = {**spec["template"], "$patch": "replace"}
            kind, content = "ControllerRevision", {"data": {"spec": {"template": template}}, "revision": number}
        owner = {"apiVersion": "apps/v1", "kind": given["kind"], "controller": True}
        about = {
            "name": revision,
            "uid": revision,
            "namespace": meta["namespace"],
            "labels": spec["template"].get("metadata", {}).get("labels", {}),
            "annotations": {REVISION: str(number)},
            "ownerReferences": [owner | {name: meta[name] for name in ("name", "uid")}],
        }
        if not is_dry:
            key = ("apps", plural(kind), meta["namespace"], revision)
            self.objects[key] = {"apiVersion": "apps/v1", "kind": kind, "metadata": about, **content}


def _allows(rule: Object, call: Call) -> bool:
    names = rule.get("resourceNames")
    return (
        call.group in rule["apiGroups"]
        and call.resource in rule["resources"]
        and call.verb in rule["verbs"]
        and (not names or call.name in names)
    )


def patched(old: Object, patch: Any) -> Object:
    if isinstance(patch, list):  # JSON patch: `rollout undo` replaces the template
        new: Object = json.loads(json.dumps(old))
        for each in patch:
            if each["path"] == "/spec/template":
                new["spec"]["template"] = each["value"]
        return new
    applied = patch.get("metadata", {}).get("annotations", {}).get(APPLIED)
    if applied:
        new = json.loads(applied)
        kept = {key: value for key, value in old["metadata"].get("annotations", {}).items() if key == REVISION}
        new["metadata"]["annotations"] = {**new["metadata"].get("annotations", {}), **kept, APPLIED: applied}
        if "replicas" in old.get("spec", {}):
            new["spec"].setdefault("replicas", old["spec"]["replicas"])
        return new
    return _merged(old, patch)


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    if "$patch" in patch:
        return {key: value for key, value in patch.items() if key != "$patch"}
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        new[key] = _merged(new.get(key), value)
    return new
