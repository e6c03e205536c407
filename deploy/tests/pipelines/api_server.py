"""A Kubernetes API server that real kubectl can apply to: discovery, objects, RBAC by the Roles that were applied to it.

The caller impersonates a user with the name of its group; `system:masters` may do everything. Workloads are ready at once; each template of a
Deployment leaves a ReplicaSet. Nothing is defaulted, and a patch that carries the applied configuration replaces the object.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

Object = dict[str, Any]
ADMINISTRATOR = "system:masters"
CLUSTER_WIDE = {"Namespace", "StorageClass", "GatewayClass", "ClusterIssuer"}
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
REVISION = "deployment.kubernetes.io/revision"
TO_KNOW = {("apps/v1", "ReplicaSet"), ("apps/v1", "ControllerRevision"), ("autoscaling/v2", "HorizontalPodAutoscaler")}
"""Kinds that scripts ask for, whether a rendering has them or not."""


def plural(kind: str) -> str:
    """The resource of a kind, by English grammar, which API groups follow."""
    if kind.endswith("y") and kind[-2] not in "aeiou":
        return f"{kind.lower()[:-1]}ies"
    if kind.endswith("Chaos"):
        return kind.lower()
    return kind.lower() + ("es" if kind.endswith("s") else "s")


class Call(NamedTuple):
    """What the authorizer is asked."""

    group: str
    verb: str
    resource: str
    name: str


@dataclass
class Cluster:
    """The objects by (group, resource, namespace, name), and what was refused."""

    kinds: set[tuple[str, str]]
    """Known kinds, with their apiVersion."""
    objects: dict[tuple[str, str, str, str], Object] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    """Calls of everybody but the administrator."""
    refused: list[Call] = field(default_factory=list)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def kubeconfig(self, file: Path, group: str, namespace: str = "default") -> Path:
        """Written for a member of the group."""
        context = {"cluster": "stub", "user": "caller", "namespace": namespace}
        file.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "stub", "cluster": {"server": self.url}}],
                    "users": [{"name": "caller", "user": {"as": group}}],
                    "contexts": [{"name": "stub", "context": context}],
                    "current-context": "stub",
                }
            )
        )
        return file

    def of(self, resource: str, namespace: str) -> list[Object]:
        """Every object of a resource in a namespace."""
        return [each for (_, what, where, _), each in self.objects.items() if (what, where) == (resource, namespace)]

    def may(self, group: str, namespace: str, call: Call) -> bool:
        """As RBAC decides by Roles alone."""
        if group == ADMINISTRATOR:
            return True
        self.calls.append(call)
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
        """Creates or replaces an object, with what the server and controllers add."""
        old = self.objects.get(key, {})
        meta, before = given.setdefault("metadata", {}), old.get("metadata", {})
        changed = given.get("spec") != old.get("spec")
        meta.update(uid=before.get("uid", f"uid-{len(self.objects)}"), resourceVersion=str(len(self.calls) + 1))
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
        if given["kind"] == "StatefulSet":
            spec.setdefault("updateStrategy", {"type": "RollingUpdate"})
        number = int(old.get("metadata", {}).get("annotations", {}).get(REVISION, 0))
        if spec["template"] != old.get("spec", {}).get("template"):
            number += 1
        meta.setdefault("annotations", {})[REVISION] = str(number)
        revision = f"{meta['name']}-{number}"
        is_deployment = given["kind"] == "Deployment"
        if not is_deployment:
            given["status"].update(updateRevision=revision, currentRevision=revision)
        kind = "ReplicaSet" if is_deployment else "ControllerRevision"
        history: Object = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": revision, "namespace": meta["namespace"], "annotations": {REVISION: str(number)}},
            **({"spec": spec} if is_deployment else {"data": {"spec": spec}, "revision": number}),
        }
        if not is_dry:
            self.objects["apps", plural(kind), meta["namespace"], revision] = history


def _allows(rule: Object, call: Call) -> bool:
    names = rule.get("resourceNames")
    return (
        call.group in rule["apiGroups"]
        and call.resource in rule["resources"]
        and call.verb in rule["verbs"]
        and (not names or call.name in names)
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one write an answer: two wait 40 ms for each other
    server: "_Server"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.strip("/").split("/")
        if path[0] == "openapi":
            return self._openapi("/".join(path[2:])) if path[1:2] == ["v3"] else self._send(200, b"")
        if len(path) <= (2 if path[0] == "api" else 3):
            return self._discover(path)
        return self._object("get")

    def do_POST(self) -> None:
        self._object("create")

    def do_PATCH(self) -> None:
        self._object("patch")

    def do_DELETE(self) -> None:
        self._object("delete")

    def _discover(self, path: list[str]) -> None:
        versions = sorted({version for version, _ in self.server.cluster.kinds})
        if path == ["api"]:
            return self._json({"kind": "APIVersions", "versions": ["v1"]})
        if path == ["apis"]:
            groups = [
                {"name": name, "versions": [version], "preferredVersion": version}
                for each in versions
                if "/" in each
                for name in [each.split("/")[0]]
                for version in [{"groupVersion": each, "version": each.split("/")[1]}]
            ]
            return self._json({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        wanted = "/".join(path[1:])
        if wanted not in versions:
            return self._fail(404, "NotFound", wanted)
        verbs = ["create", "delete", "get", "list", "patch", "watch"]
        resources = [
            {"name": plural(kind), "kind": kind, "namespaced": kind not in CLUSTER_WIDE, "verbs": verbs}
            for version, kind in self.server.cluster.kinds
            if version == wanted
        ]
        return self._json({"kind": "APIResourceList", "groupVersion": wanted, "resources": resources})

    def _openapi(self, wanted: str) -> None:
        """Each kind takes `fieldValidation`: so kubectl leaves validation to the server."""
        versions = {version for version, _ in self.server.cluster.kinds}
        prefixes = {("apis/" if "/" in version else "api/") + version: version for version in versions}
        if not wanted:
            return self._json({"paths": {each: {"serverRelativeURL": f"/openapi/v3/{each}"} for each in prefixes}})
        paths = {}
        for version, kind in self.server.cluster.kinds:
            if version == prefixes[wanted]:
                group, _, number = version.rpartition("/")
                paths[f"/{wanted}/{plural(kind)}/{{name}}"] = {
                    "patch": {
                        "parameters": [{"name": each, "in": "query"} for each in ("dryRun", "fieldValidation")],
                        "responses": {},
                        "x-kubernetes-group-version-kind": {"group": group, "version": number, "kind": kind},
                    }
                }
        return self._json({"openapi": "3.0.0", "info": {"title": "stub", "version": "1"}, "paths": paths})

    def _object(self, verb: str) -> None:
        parts, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        words = parts.path.strip("/").split("/")
        group, version = ("", words[1]) if words[0] == "api" else (words[1], "/".join(words[1:3]))
        words = words[2:] if words[0] == "api" else words[3:]
        namespace = ""
        if words[0] == "namespaces" and len(words) > 2:
            namespace, words = words[1], words[2:]
        resource, name = words[0], words[1] if len(words) > 1 else ""
        if verb == "get" and not name:
            verb = "watch" if query.get("watch") else "list"
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        user = self.headers.get("Impersonate-User", "")
        with self.server.cluster.lock:
            where = name if resource == "namespaces" else namespace
            if not self.server.cluster.may(user, where, Call(group, verb, resource, name)):
                return self._fail(403, "Forbidden", f"{user} may not {verb} {resource} {name}")
            key = (group, resource, namespace, name or body.get("metadata", {}).get("name", ""))
            if verb in {"list", "watch"}:
                return self._list(verb, version, resource, namespace, query)
            return self._one(verb, key, body, is_dry="dryRun" in query)

    def _list(self, verb: str, version: str, resource: str, namespace: str, query: dict[str, list[str]]) -> None:
        items = self.server.cluster.of(resource, namespace)
        for selector in query.get("fieldSelector", ()):
            items = [each for each in items if each["metadata"]["name"] == selector.removeprefix("metadata.name=")]
        if verb == "watch":
            events = "".join(json.dumps({"type": "ADDED", "object": each}) + "\n" for each in items)
            return self._send(200, events.encode())
        kind = next(kind for _, kind in self.server.cluster.kinds if plural(kind) == resource)
        return self._json({"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": items})

    def _one(self, verb: str, key: tuple[str, str, str, str], body: Object, *, is_dry: bool) -> None:
        cluster = self.server.cluster
        if verb == "create":
            if key[2] and ("", "namespaces", "", key[2]) not in cluster.objects:
                return self._fail(404, "NotFound", f'namespaces "{key[2]}" not found')
            return self._json(cluster.write(key, body, is_dry=is_dry), 201)
        if key not in cluster.objects:
            return self._fail(404, "NotFound", f'{key[1]} "{key[3]}" not found')
        if verb == "patch":
            body = cluster.write(key, _patched(cluster.objects[key], body), is_dry=is_dry)
        elif verb == "delete":
            body = cluster.objects.pop(key)
        return self._json(cluster.objects[key] if verb == "get" else body)

    def _json(self, body: Object, status: int = 200) -> None:
        self._send(status, json.dumps(body).encode())

    def _fail(self, status: int, reason: str, message: str) -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
        self._json({**body, "code": status}, status)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence."""


def _patched(old: Object, patch: Any) -> Object:
    if isinstance(patch, list):  # JSON patch: `rollout undo` replaces the template
        new: Object = json.loads(json.dumps(old))
        for each in patch:
            if each["path"] == "/spec/template":
                new["spec"]["template"] = each["value"]
        return new
    applied = patch.get("metadata", {}).get("annotations", {}).get(APPLIED)
    if applied:
        new = json.loads(applied)
        new["metadata"]["annotations"] = {
            **new["metadata"].get("annotations", {}),
            **{key: old["metadata"].get("annotations", {})[key] for key in (REVISION,) if key in old["metadata"].get("annotations", {})},
            APPLIED: applied,
        }
        if "replicas" in old.get("spec", {}):
            new["spec"].setdefault("replicas", old["spec"]["replicas"])
        return new
    return _merged(old, patch)


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        new[key] = _merged(new.get(key), value)
    return new


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster = cluster


@contextmanager
def api_server(kinds: set[tuple[str, str]]) -> Iterator[Cluster]:
    """An empty cluster that serves these kinds."""
    cluster = Cluster(kinds | TO_KNOW)
    with _Server(cluster) as server:
        cluster.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield cluster
        finally:
            server.shutdown()
            thread.join(10)
