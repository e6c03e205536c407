"""Kubernetes objects as data. A value of an unexpected type reads as absent."""

from collections.abc import Mapping
from typing import Any

CLUSTER_WIDE = {
    "APIService", "CSIDriver", "ClusterIssuer", "ClusterPolicy", "ClusterRole", "ClusterRoleBinding", "ClusterSecretStore",
    "CustomResourceDefinition", "GatewayClass", "ImageValidatingPolicy", "IngressClass", "MutatingWebhookConfiguration",
    "Namespace", "PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
}  # fmt: skip


def dig(data: Any, *path: str) -> Any:
    for step in path:
        if not isinstance(data, dict):
            return None
        data = data.get(step)
    return data


def mapping(data: Any, *path: str) -> dict[str, Any]:
    found = dig(data, *path)
    return found if isinstance(found, dict) else {}


def items(data: Any, *path: str) -> list[dict[str, Any]]:
    """The mappings in the list at `path`."""
    found = dig(data, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(data: Any, *path: str) -> list[str]:
    found = dig(data, *path)
    return [str(item) for item in found] if isinstance(found, list) else []


def text(data: Any, *path: str) -> str:
    found = dig(data, *path)
    return "" if found is None else str(found)


def number(data: Any, *path: str, default: int) -> int:
    found = dig(data, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def matches(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Whether a label selector (matchLabels and matchExpressions) matches these labels. An empty one matches all."""
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


def written(selector: Any) -> str:
    """A selector as text; "" for one that matches everything."""
    expressions = items(selector, "matchExpressions")
    parts = [f"{text(each, 'key')} {text(each, 'operator')} {texts(each, 'values')}" for each in expressions]
    return ", ".join([*(f"{key}={value}" for key, value in mapping(selector, "matchLabels").items()), *parts])


class Manifest:
    """One object and the file it comes from. Its namespace is `default` if it has none, "" for a cluster-wide kind."""

    def __init__(self, data: dict[str, Any], source: str = "") -> None:
        self.data, self.source = data, source
        self.api_version = text(data, "apiVersion")
        self.group = self.api_version.rpartition("/")[0]
        self.kind = text(data, "kind")
        self.name = text(data, "metadata", "name")
        self.namespace = "" if self.kind in CLUSTER_WIDE else text(data, "metadata", "namespace") or "default"
        self.labels = mapping(data, "metadata", "labels")
        self.annotations = mapping(data, "metadata", "annotations")
        self.spec = mapping(data, "spec")

    def __str__(self) -> str:
        return f"{self.kind or 'object without kind'}/{self.name or '(no name)'}"
