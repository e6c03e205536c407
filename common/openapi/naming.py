"""Moves the headers, parameters and problem answers of an OpenAPI document to named components."""

import re
from http import HTTPStatus
from typing import Any

from common.openapi.components import PROBLEM

Node = dict[str, Any]
PHRASES = {414: "Request-URI Too Long"}


def name_components(document: Node, given: dict[str, Any]) -> None:
    """Every header and parameter, and every problem answer, becomes a reference. Adds the `given` examples by name.

    Client generators name types after components: for inline answers they invented 98 names.
    """
    components = document["components"]
    for kind in ("parameters", "headers", "responses"):
        components[kind] = {}
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                _exemplify(parameter, given[parameter["name"]])
            operation["parameters"] = [
                _refer(components, "parameters", _camel(parameter["name"]), parameter)
                for parameter in operation.get("parameters", [])
            ]
            for status, response in operation["responses"].items():
                for name, header in response.get("headers", {}).items():
                    header.setdefault("example", given[name])
                operation["responses"][status] = _response(components, operation["tags"][0], int(status), response)


def _response(components: Node, tag: str, status: int, response: Node) -> Node:
    headers = response.get("headers", {})
    for name, header in headers.items():
        headers[name] = _refer(components, "headers", _camel(name), header)
    if list(response.get("content", {})) != [PROBLEM]:
        return response
    examples = response["content"][PROBLEM]["examples"]
    codes = {example["value"]["code"] for example in examples.values()}
    is_usual = len(codes) == 1 and status not in {414, 431}
    # Python 3.13 calls 414 "URI Too Long": the name must not depend on the Python that writes the document.
    name = _camel(codes.pop() if is_usual else PHRASES.get(status) or HTTPStatus(status).phrase)
    return _refer(components, "responses", name, response, other=f"{_camel(tag)}{name}")


def _exemplify(parameter: Node, example: Any) -> None:
    """Adds the example under `examples`: Swagger UI prefills `example`, and a request with all optional parameters
    would be refused."""
    if parameter.get("required"):
        parameter["example"] = example
    else:
        parameter["schema"]["examples"] = [example]


def _refer(components: Node, kind: str, name: str, value: Node, other: str = "") -> Node:
    """A reference to the component with this value: `name`, or `other` if `name` has another value."""
    named = components[kind]
    key = name if named.setdefault(name, value) == value else other
    if not key or named.setdefault(key, value) != value:
        raise ValueError(f"{kind} {name} differs between operations: give it one description")
    return {"$ref": f"#/components/{kind}/{key}"}


def _camel(text: str) -> str:
    """`user-not-found` → `UserNotFound`."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", text))
