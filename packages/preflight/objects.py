"""Kubernetes objects as data. Nothing here trusts their shape: what has the wrong type reads as absent."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


def dig(data: Any, *path: str | int) -> Any:
    """The value at `path`, or None where any step of it is missing or has another type."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(data, list) or step >= len(data):
                return None
            data = data[step]
        else:
            if not isinstance(data, dict):
                return None
            data = data.get(step)
    return data


def mapping(data: Any, *path: str | int) -> dict[str, Any]:
    """The mapping at `path`; an empty one where there is none."""
    found = dig(data, *path)
    return found if isinstance(found, dict) else {}


def items(data: Any, *path: str | int) -> list[dict[str, Any]]:
    """The mappings in the list at `path`; what is no mapping is left out."""
    found = dig(data, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(data: Any, *path: str | int) -> list[str]:
    """The list at `path`, each item as text."""
    found = dig(data, *path)
    return [str(item) for item in found] if isinstance(found, list) else []


def text(data: Any, *path: str | int) -> str:
    """The value at `path` as text; "" where there is none."""
    found = dig(data, *path)
    return "" if found is None else str(found)


def number(data: Any, *path: str | int, default: int) -> int:
    """The whole number at `path`, or the default that Kubernetes would take."""
    found = dig(data, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def matches(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Whether a label selector (matchLabels and matchExpressions) takes these labels. An empty one takes all."""
    if any(str(labels.get(key)) != str(value) for key, value in mapping(selector, "matchLabels").items()):
        return False
    return all(_expression(expression, labels) for expression in items(selector, "matchExpressions"))


def _expression(expression: dict[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = text(expression, "key"), texts(expression, "values")
    match text(expression, "operator"):
        case "In":
            return str(labels.get(key)) in values
        case "NotIn":
            return str(labels.get(key)) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


@dataclass(frozen=True)
class Manifest:
    """One object of a rendering, and the file it stands in."""

    data: dict[str, Any]
    source: str = field(default="", compare=False)

    @property
    def api_version(self) -> str:
        """Such as `apps/v1`."""
        return text(self.data, "apiVersion")

    @property
    def kind(self) -> str:
        """Such as `Deployment`."""
        return text(self.data, "kind")

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return text(self.data, "metadata", "name")

    @property
    def namespace(self) -> str:
        """`metadata.namespace`; `default` where it names none, as kubectl does."""
        return text(self.data, "metadata", "namespace") or "default"

    @property
    def labels(self) -> dict[str, Any]:
        """`metadata.labels`."""
        return mapping(self.data, "metadata", "labels")

    @property
    def annotations(self) -> dict[str, Any]:
        """`metadata.annotations`."""
        return mapping(self.data, "metadata", "annotations")

    @property
    def spec(self) -> dict[str, Any]:
        """`spec`."""
        return mapping(self.data, "spec")

    def __str__(self) -> str:
        return f"{self.kind or 'object without kind'}/{self.name or '(no name)'}"


class Rendering:
    """All objects that are applied together."""

    def __init__(self, manifests: Iterable[Manifest]) -> None:
        self.manifests = list(manifests)

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    @cached_property
    def _by_kind(self) -> dict[str, list[Manifest]]:
        found: dict[str, list[Manifest]] = {}
        for manifest in self.manifests:
            found.setdefault(manifest.kind, []).append(manifest)
        return found

    def of(self, *kinds: str, namespace: str | None = None) -> list[Manifest]:
        """The objects of these kinds, in one namespace or in all."""
        found = [manifest for kind in kinds for manifest in self._by_kind.get(kind, [])]
        return found if namespace is None else [each for each in found if each.namespace == namespace]

    def find(self, kind: str, name: str, namespace: str) -> Manifest | None:
        """The object of that kind and name, or None."""
        return next((each for each in self.of(kind, namespace=namespace) if each.name == name), None)

    def namespace_labels(self, name: str) -> dict[str, Any]:
        """The labels of a namespace: those it is rendered with, and the one that every namespace has."""
        found = next((each for each in self.of("Namespace") if each.name == name), None)
        return {**(found.labels if found else {}), "kubernetes.io/metadata.name": name}
