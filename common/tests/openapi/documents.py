"""Reads a schema: its operations and their answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.inlined import inlined

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "openapi"


class Operation(NamedTuple):
    """One method of one path."""

    path: str
    method: str
    definition: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.definition["operationId"])

    @property
    def responses(self) -> dict[str, Any]:
        return dict(self.definition["responses"])

    def headers(self, status: str) -> set[str]:
        return set(self.responses[status].get("headers", {}))

    def parameters(self, place: str) -> set[str]:
        return {given["name"] for given in self.definition.get("parameters", []) if given["in"] == place}


def operations(schema: dict[str, Any]) -> dict[str, Operation]:
    found = [Operation(*entry) for entry in _walk(inlined(schema))]
    return {operation.id: operation for operation in found}


def _walk(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in schema["paths"].items():
        for method, definition in item.items():
            yield path, method, definition


def written(site: str) -> dict[str, Any]:
    """The schema that `make schema` wrote for `gateway` or `users`."""
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"{site}.yaml").read_text())
    return document
