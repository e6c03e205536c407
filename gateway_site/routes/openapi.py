"""The operations of a route's own schema (OpenAPI 3.1) in the gateway's: docs/reference/routes.md has the rules."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import orjson

from gateway_site.routes import yaml_file
from gateway_site.routes.matching import Matcher
from gateway_site.routes.source import Malformed
from gateway_site.routes.table import Route

Node = dict[str, Any]
Name = tuple[str, str]
"""A component: its kind and its name."""

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
REFERENCE = re.compile(r"#/components/([A-Za-z]+)/([^/]+)")
CODES = ("schemas", "ProblemCode")
"""The component of a service's problem codes. The gateway's has its values and more, so that clients have one
Problem."""

PROBLEM = "application/problem+json"
ANSWERS = {
    "401": "Unauthenticated",
    "403": "Forbidden",
    "405": "MethodNotAllowed",
    "413": "BodyTooLarge",
    "414": "RequestURITooLong",
    "429": "TooManyRequests",
    "431": "RequestHeaderFieldsTooLarge",
    "500": "InternalError",
    "502": "BadUpstream",
    "503": "ServiceUnavailable",
    "504": "UpstreamTimeout",
}
"""The gateway's own answers, as components that the users' operations refer to."""
HEADERS = ("X-Request-ID", "RateLimit", "RateLimit-Policy")


def load(text: str) -> Node:
    """Raises Malformed."""
    try:
        document: Node = orjson.loads(text)  # YAML 1.1 does not contain JSON with its escapes
    except orjson.JSONDecodeError:
        found, _ = yaml_file.read(text)
        document = orjson.loads(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS))  # the key 200 is "200"
    if not str(document.get("openapi")).startswith("3.1."):
        raise Malformed("is not OpenAPI 3.1: convert it")
    return {"components": {}, "tags": [], **document}


def operations(document: Node, route: Route) -> Iterator[tuple[str, Node]]:
    """The operations that the route forwards, by their path at the gateway; a path item has only its parameters and
    operations."""
    matcher = Matcher([(route, dict)])
    for path, item in document["paths"].items():
        ours = route.prefix + (path.removeprefix(route.rewrite) if path != "/" else "")
        is_ours = path == route.rewrite or path.startswith(route.rewrite + "/")
        kept = [key for key in METHODS if key in item and (not route.methods or key.upper() in route.allowed)]
        if is_ours and kept and matcher.find(re.sub(r"\{[^{}]*\}", "x", ours)):
            yield ours, {key: item[key] for key in ("parameters", *kept) if key in item}


def check(route: Route) -> None:
    """Merges the schema on trial. Raises Malformed if that is impossible."""
    answer = {"headers": {}, "content": {PROBLEM: {"schema": {}, "examples": {}}}, "description": ""}
    empty = {"components": {"responses": dict.fromkeys(ANSWERS.values(), answer)}, "paths": {}, "tags": []}
    try:
        add(empty, route, [])
    except Malformed:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise Malformed("is no valid OpenAPI schema: a validator says more") from None


def add(document: Node, route: Route, ways: list[Any]) -> None:
    """Adds the route's operations to the gateway's document. `ways`: its credentials, as in `security`."""
    given = load(route.schema)
    items = dict(operations(given, route))
    if not items:
        raise Malformed(
            f"has no operation that the route forwards below {route.rewrite or '/'}: correct rewrite or paths"
        )
    noun = route.prefix.removeprefix("/api/").strip("/")
    ours, added = _merged(document["components"], given, items, noun)
    taken = {each.get("operationId") for each in _operations_of(document["paths"])}
    for operation in _operations_of(ours):
        if (known := operation.get("operationId")) and known in taken:
            operation["operationId"] = _free(re.sub(r"\W+", "_", noun), f"_{known}", taken)
    for item in ours.values():
        for method in item.keys() - {"parameters"}:
            _describe(document["components"], item[method], route.scope_for(method.upper()), ways)
    document["paths"] |= ours
    while unused := added - set(_references(document)):
        for kind, name in unused:
            del document["components"][kind][name]
        added -= unused
    tags = {tag for operation in _operations_of(ours) for tag in operation.get("tags", [])}
    tags -= {tag["name"] for tag in document["tags"]}
    document["tags"] += [tag for tag in given["tags"] if tag["name"] in tags]


def _merged(components: Node, given: Node, items: Node, noun: str) -> tuple[Node, set[Name]]:
    """The operations with the new names of their components, which it adds, and those names."""
    parts = _parts(given, items)
    names = _names(components, parts, "".join(word.title() for word in re.split(r"[^A-Za-z0-9]+", noun)))
    added = {(key[0], names[key]) for key in parts if names[key] not in components.get(key[0], {})}
    for key, value in parts.items():
        components.setdefault(key[0], {}).setdefault(names[key], _renamed(value, names))
    return _renamed(items, names), added


def _operations_of(paths: Node) -> list[Node]:
    return [item[method] for item in paths.values() for method in METHODS if method in item]


def _references(value: Any) -> Iterator[Name]:
    """The components that it refers to. Raises Malformed for any other reference."""
    stack = [value]
    while stack:
        item = stack.pop()
        target = item.get("$ref") if isinstance(item, dict) else item
        found = REFERENCE.match(target) if isinstance(target, str) else None
        if found:
            yield found[1], found[2]
        elif isinstance(item, dict) and isinstance(target, str):
            raise Malformed(f"refers to {target[:100]}: bundle it, so that each $ref begins with #/components/")
        stack += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()


def _parts(document: Node, items: Node) -> dict[Name, Any]:
    """The components that the operations refer to, directly and indirectly. Raises Malformed for a missing one."""
    found: dict[Name, Any] = {}
    waiting = [items]
    while waiting:
        for kind, name in _references(waiting.pop()):
            if (kind, name) not in found:
                part = document["components"].get(kind, {}).get(name)
                if part is None:
                    raise Malformed(f"has no component {kind}/{name[:100]}, to which it refers: add it")
                found[kind, name] = part
                waiting.append(part)
    return found


def _names(components: Node, parts: dict[Name, Any], noun: str) -> dict[Name, str]:
    """The new names: a component equal to the gateway's keeps its name; another one whose name is taken gets the
    route's noun in front."""
    others = {
        key for key, part in parts.items() if not _is_same(key, components.get(key[0], {}).get(key[1], part), part)
    }
    known = {key for key in parts if key[1] in components.get(key[0], {})}
    while more := {key for key in known - others if others & set(_references(parts[key]))}:
        others |= more
    names = {key: key[1] for key in parts}
    for kind, name in sorted(others):
        names[kind, name] = _free(
            noun, name, {*components[kind], *(each for of, each in names.items() if of[0] == kind)}
        )
    return names


def _is_same(key: Name, ours: Any, theirs: Any) -> bool:
    if key == CODES and isinstance(theirs, dict) and isinstance(theirs.get("enum"), list):
        return {*theirs["enum"]} <= {*ours["enum"]}
    return bool(ours == theirs)


def _free(noun: str, name: str, taken: set[Any]) -> str:
    return next(each for number in count(1) if (each := f"{noun}{number if number > 1 else ''}{name}") not in taken)


def _renamed(value: Any, names: dict[Name, str]) -> Any:
    """A copy with the new names in its references, `discriminator.mapping` included."""
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if isinstance(value, str) and (found := REFERENCE.match(value)) and (found[1], found[2]) in names:
        return f"#/components/{found[1]}/{names[found[1], found[2]]}{value[found.end() :]}"
    return value


def _describe(components: Node, operation: Node, scope: str | None, ways: list[Any]) -> None:
    """The gateway's own part: security, statuses, headers."""
    operation.pop("servers", None)
    operation["security"] = ways if scope else []
    if scope:
        operation["description"] = f"{operation.get('description', '')} Needs the scope `{scope}`.".lstrip()
    answers = operation.setdefault("responses", {})
    for status, name in ANSWERS.items():
        if (status in {"401", "403"} and not scope) or (status == "413" and "requestBody" not in operation):
            continue
        answers[status] = _joined(components, answers.get(status), name)
    for answer in answers.values():
        if "$ref" not in answer:
            for header in HEADERS:
                reference = {"$ref": f"#/components/headers/{header.replace('-', '')}"}
                answer.setdefault("headers", {}).setdefault(header, reference)


def _joined(components: Node, theirs: Node | None, name: str) -> Node:
    """The gateway's answer; if the service has the status too, one that may be either."""
    if theirs and (found := REFERENCE.fullmatch(theirs.get("$ref", ""))):
        theirs = components[found[1]][found[2]]
    own = components["responses"][name]
    if theirs is None:
        return {"$ref": f"#/components/responses/{name}"}
    content = dict(theirs.get("content", {}))
    described, problem = content.get(PROBLEM, {}), own["content"][PROBLEM]
    schemas = [described["schema"]] if described.get("schema") not in (None, problem["schema"]) else []
    joined = {"schema": {"anyOf": [*schemas, problem["schema"]]} if schemas else problem["schema"]}
    joined["examples"] = {**described.get("examples", {}), **problem["examples"]}
    theirs_said = theirs.get("description", "").rstrip(".")
    both = {
        "headers": {**theirs.get("headers", {}), **own["headers"]},
        "content": {**content, PROBLEM: joined},
        "description": own["description"]
        if theirs_said in own["description"]
        else f"{theirs_said}. {own['description']}",
    }
    return {"$ref": f"#/components/responses/{name}"} if both == own else both
