"""Reads a schema: its operations and their answers."""

from pathlib import Path
from typing import Any, NamedTuple

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
    """By their id."""
    items = [(path, *entry) for path, item in inlined(schema)["paths"].items() for entry in item.items()]
    return {definition["operationId"]: Operation(path, method, definition) for path, method, definition in items}
