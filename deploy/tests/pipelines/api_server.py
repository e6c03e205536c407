"""A Kubernetes API server over `cluster.py`, for real kubectl.

The caller impersonates a user with the name of its group; `system:masters` may do everything.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from deploy.tests.pipelines.cluster import SHORT, TO_KNOW, Call, Cluster, Object, patched, plural
from packages.preflight.objects import CLUSTER_WIDE
from tests.http_server import Handler, http_server


class _Handler(Handler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.strip("/").split("/")
        if path[0] == "openapi":
            return self._openapi("/".join(path[2:])) if path[1:2] == ["v3"] else self.answer(200)
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
        versions = sorted({version for version, _ in self.cluster.kinds})
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
            {
                "name": plural(kind),
                "kind": kind,
                "namespaced": kind not in CLUSTER_WIDE,
                "verbs": verbs,
                "shortNames": SHORT.get(kind, []),
            }
            for version, kind in self.cluster.kinds
            if version == wanted
        ]
        return self._json({"kind": "APIResourceList", "groupVersion": wanted, "resources": resources})

    def _openapi(self, wanted: str) -> None:
        """Each kind takes `fieldValidation`: so kubectl leaves validation to the server."""
        versions = {version for version, _ in self.cluster.kinds}
        prefixes = {("apis/" if "/" in version else "api/") + version: version for version in versions}
        if not wanted:
            return self._json({"paths": {each: {"serverRelativeURL": f"/openapi/v3/{each}"} for each in prefixes}})
        paths = {}
        for version, kind in self.cluster.kinds:
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
        body = json.loads(self.body() or b"{}")
        user = self.headers.get("Impersonate-User", "")
        with self.cluster.lock:
            where = name if resource == "namespaces" else namespace
            if not self.cluster.may(user, where, Call(group, verb, resource, name)):
                return self._fail(403, "Forbidden", f"{user} may not {verb} {resource} {name}")
            key = (group, resource, namespace, name or body.get("metadata", {}).get("name", ""))
            if verb in {"list", "watch"}:
                return self._list(verb, version, resource, namespace, query)
            return self._one(verb, key, body, is_dry="dryRun" in query)

    def _list(self, verb: str, version: str, resource: str, namespace: str, query: dict[str, list[str]]) -> None:
        items = [
            each
            for each in self.cluster.of(resource, namespace)
            if each["apiVersion"] == version
            and _matches(query.get("labelSelector"), each["metadata"].get("labels", {}).get)
            and _matches(query.get("fieldSelector"), partial(_field, each))
        ]
        if verb == "watch":
            events = "".join(json.dumps({"type": "ADDED", "object": each}) + "\n" for each in items)
            return self.answer(200, events.encode(), Content_Type="application/json")
        kind = next(kind for known, kind in self.cluster.kinds if plural(kind) == resource and known == version)
        return self._json(
            {"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "1"}, "items": items}
        )

    def _one(self, verb: str, key: tuple[str, str, str, str], body: Object, *, is_dry: bool) -> None:
        cluster = self.cluster
        if verb == "create":
            if key[2] and ("", "namespaces", "", key[2]) not in cluster.objects:
                return self._fail(404, "NotFound", f'namespaces "{key[2]}" not found')
            return self._json(cluster.write(key, body, is_dry=is_dry), 201)
        if key not in cluster.objects:
            return self._fail(404, "NotFound", f'{key[1]} "{key[3]}" not found')
        if verb == "patch":
            body = cluster.write(key, patched(cluster.objects[key], body), is_dry=is_dry)
        elif verb == "delete":
            body = cluster.objects.pop(key)
        return self._json(cluster.objects[key] if verb == "get" else body)

    def _json(self, body: Object, status: int = 200) -> None:
        self.answer(status, json.dumps(body).encode(), Content_Type="application/json")

    def _fail(self, status: int, reason: str, message: str) -> None:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
        self._json({**body, "code": status}, status)


def _matches(selectors: list[str] | None, value: Callable[[str], Any]) -> bool:
    """Whether each `key=value` of a selector holds."""
    pairs = [pair.split("=", 1) for selector in selectors or () for pair in selector.split(",") if pair]
    return all(value(key) == wanted for key, wanted in pairs)


def _field(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = item.get(name, {})
    return item


@contextmanager
def api_server(kinds: set[tuple[str, str]]) -> Iterator[Cluster]:
    cluster = Cluster(kinds | TO_KNOW)
    with http_server(type("Handler", (_Handler,), {"cluster": cluster})) as cluster.url:
        yield cluster
