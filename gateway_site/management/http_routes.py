"""The table as HTTPRoutes of the Gateway API v1, for a mesh or ingress that routes instead of the gateway; and what
they cannot express."""

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from gateway_site.routes.field_names import OVERRIDES
from gateway_site.routes.table import REST, Edits, Route, Table, Upstream

Node = dict[str, Any]

SAID = {"prefix", "upstream", "rewrite", "paths", "methods", "schema", "timeout_ms", "retries", "scopes", "canary",
        "request_headers", "answer_headers", "stream", "websocket"}  # fmt: skip
"""Fields that the rules contain, and fields that have their own line."""
GATEWAYS_OWN = OVERRIDES | {b"x-authenticated-subject", b"x-forwarded-host", b"x-forwarded-prefix"}
"""Request fields that services trust, because the gateway sets or removes them; clients must not set them."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"))
MOST_RULES = 16
SERVICE = re.compile(r"([a-z][a-z0-9-]{0,62})(?:\.([a-z0-9-]{1,63}))?(?:\.svc(?:\.cluster\.local)?)?")


def http_routes(table: Table, gateway: str) -> tuple[list[Node], list[str]]:
    """An object for each route, at this Gateway or GATEWAY/LISTENER, and a line for each thing that it cannot
    express."""
    name, _, listener = gateway.partition("/")
    parent = _given(name=name, sectionName=listener)
    routes: list[Node] = []
    unsaid = [
        "AUTH, scopes, RATE_LIMIT, retries and circuits: the gateway's own; configure them where you route",
        "network policies: each service must admit the pods that route",
        "Host: services get the client's; their ALLOWED_HOSTS must name it",
    ]
    if not listener:
        unsaid.append(f"TLS: every listener of {name} serves the routes, plain HTTP too; {name}/LISTENER names one")
    for number, route in enumerate(table.routes):
        if cause := _cause_to_leave_out(route, table):
            unsaid.append(f"{route.prefix}: left out, because {cause}")
            continue
        rules = list(_rules(route, table))
        unsaid += [f"{route.prefix}: {each}" for each in _unsaid(route, table, len(rules))]
        own = re.sub(r"[^a-z0-9]+", "-", route.prefix.lower()).strip("-")[:50] or "route"
        taken = {each["metadata"]["name"] for each in routes}
        routes.append(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": {"name": f"{own}-{number}" if own in taken else own},
                "spec": {"parentRefs": [parent], "rules": rules},
            }
        )
    return routes, unsaid


def _cause_to_leave_out(route: Route, table: Table) -> str:
    strange = [name for name in route.upstreams if not SERVICE.fullmatch(table.upstreams[name].address[0])]
    if strange:
        return f"{strange[0]} is not a Service: make one of type ExternalName"
    if route.methods and METHODS.isdisjoint(route.allowed):
        return f"no HTTPRoute can name {', '.join(route.methods)}"
    return "it is in maintenance" if route.maintenance else ""


def _rules(route: Route, table: Table) -> Iterator[Node]:
    """A rule for each match, because only a rule with one path may rewrite it."""
    exact = {} if any(path == REST or "{" in path for path in route.paths) else dict.fromkeys(route.paths)
    for path in exact or (REST,):
        for method in sorted(route.allowed & METHODS) or [""]:
            place = {"type": "PathPrefix", "value": route.prefix}
            replaced = {"type": "ReplacePrefixMatch", "replacePrefixMatch": route.rewrite or "/"}
            if exact:
                place = {"type": "Exact", "value": route.prefix + path}
                replaced = {"type": "ReplaceFullPath", "replaceFullPath": route.rewrite + path or "/"}
            filters: list[Node] = []
            if route.rewrite != route.prefix:
                filters.append({"type": "URLRewrite", "urlRewrite": {"path": replaced}})
            filters += _edits("Request", _of_requests(route)) + _edits("Response", route.answer_headers)
            for header, weights in _shares(route):
                services = [_service(table.upstreams[name]) for name in weights]
                if len(weights) > 1:
                    services = [
                        each | {"weight": weight} for each, weight in zip(services, weights.values(), strict=True)
                    ]
                # The time would end with the answer's last byte, and a stream has none.
                time = _duration(0 if route.stream or route.websocket else route.timeout_ms)
                yield _given(
                    matches=[_given(path=place, method=method, headers=header)],
                    filters=filters,
                    backendRefs=services,
                    timeouts={"request": time},
                )


def _given(**fields: Any) -> Node:
    """The fields that are not empty."""
    return {name: value for name, value in fields.items() if value}


def _shares(route: Route) -> Iterator[tuple[list[Node], dict[str, int]]]:
    """The weights of the upstreams, by the header field that a request has."""
    canary = route.canary
    if not canary:
        yield [], {route.upstream: 1}
        return
    for value, name in (("always", canary.upstream), ("never", route.upstream)) if canary.header else ():
        yield [{"name": canary.header, "value": value}], {name: 1}
    share = round(canary.percent * 100)
    yield [], {route.upstream: 10_000 - share, canary.upstream: share}


def _of_requests(route: Route) -> Edits:
    prefix = ((b"x-forwarded-prefix", route.removed.encode()),) if route.removed else ()
    return Edits(route.request_headers.dropped | GATEWAYS_OWN, (*route.request_headers.added, *prefix))


def _edits(kind: str, edits: Edits) -> list[Node]:
    found: dict[str, list[Any]] = {"set": [], "add": []}
    for name, value in edits.added:
        action = "set" if name in edits.dropped else "add"
        found[action].append({"name": name.decode(), "value": value.decode()})
    removed = sorted(name.decode() for name in edits.dropped - {name for name, _ in edits.added})
    said = _given(**found, remove=removed)
    return [{"type": f"{kind}HeaderModifier", f"{kind.lower()}HeaderModifier": said}] if said else []


def _duration(milliseconds: int) -> str:
    """A number has five digits at most."""
    return f"{milliseconds}ms" if milliseconds < 100_000 else f"{milliseconds // 1000}s"


def _service(upstream: Upstream) -> Node:
    host, port = upstream.address
    found = SERVICE.fullmatch(host)
    name, namespace = found.groups() if found else ("", None)
    return _given(name=name, namespace=namespace, port=port)


def _unsaid(route: Route, table: Table, rules: int) -> Iterator[str]:
    if set(route.paths) != {"", REST} and any(path == REST or "{" in path for path in route.paths):
        yield f"paths {', '.join(map(repr, route.paths))}: everything below the prefix is admitted"
    if route.methods:
        unnamed = "".join(f", {method} too" for method in sorted(route.allowed - METHODS))
        yield f"methods: others are 404, not 405{unnamed}"
    if rules > MOST_RULES:
        yield f"{rules} rules, and an HTTPRoute may have {MOST_RULES}: list fewer paths or methods"
    if route.canary and route.canary.cookie:
        yield f"canary by the cookie {route.canary.cookie}"
    for field in fields(route):
        if field.name not in SAID and getattr(route, field.name) not in (field.default, None, {}):
            yield field.name
    for upstream in (table.upstreams[name] for name in route.upstreams):
        if upstream.url.startswith("https:"):
            yield f"TLS to {upstream.name}: add a BackendTLSPolicy"
        if "namespace" in _service(upstream):
            yield f"{upstream.name} is in another namespace: add a ReferenceGrant there"
