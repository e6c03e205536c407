"""Reads an OpenAPI document as if its parameters, headers and answers stood inline."""

from typing import Any


def inlined(document: dict[str, Any]) -> dict[str, Any]:
    """A copy in which every reference is replaced by its component, but for those to schemas, which may be recursive."""

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref", "")
        if not reference or reference.startswith("#/components/schemas/"):
            return {key: walk(value) for key, value in node.items()}
        _, _, kind, name = reference.split("/")
        return walk(document["components"][kind][name])

    return {**document, "paths": walk(document["paths"])}
