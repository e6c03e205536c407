"""Rules: alerts and scalers that ask for metrics which nobody has."""

import re
from collections.abc import Iterator

from packages.preflight.objects import Rendering, items, mapping, text
from packages.preflight.services import SERVICES
from packages.preflight.violation import Violation

OTHERS = re.compile(
    r"^(up|scrape_\w+|ALERTS(_FOR_STATE)?|kube_\w+|kubelet_\w+|container_\w+|node_\w+|machine_\w+|process_\w+|python_\w+|redis_(?!operation)\w+|certmanager_\w+|probe_\w+|prometheus_\w+|alertmanager_\w+|coredns_\w+|argocd_\w+|keda_\w+|envoy_\w+|externalsecret_\w+)$"
)
"""Metrics of Prometheus itself, of Kubernetes, of exporters and operators."""
TARGET_LABELS = {
    "__name__",
    "job",
    "instance",
    "namespace",
    "pod",
    "service",
    "container",
    "endpoint",
    "node",
    "cluster",
    "le",
    "quantile",
    "app",
    "region",
    "environment",
}
WORDS = {
    "and",
    "or",
    "unless",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "offset",
    "inf",
    "nan",
    "start",
    "end",
    "atan2",
}
_STRING = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`""")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", re.IGNORECASE)
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*\{(?P<matchers>[^}]*)\}")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()(?![\w:])")


def metrics_in(expression: str) -> dict[str, set[str]]:
    """The metric names of a PromQL expression, each with the labels that its matchers name."""
    # Strings first, as they may hold braces; then what stands in parentheses after `by` is labels, no metrics.
    plain = _GROUPING.sub(" ", _STRING.sub('""', re.sub(r"#.*", "", expression)))
    found: dict[str, set[str]] = {}
    for match in _SELECTOR.finditer(plain):
        labels = set(re.findall(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)", match["matchers"]))
        if match["name"]:
            found.setdefault(match["name"], set()).update(labels)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", plain)
    for name in _NAME.findall(bare):
        if name.lower() not in WORDS:
            found.setdefault(name, set())
    return found


def unknown_metrics(rendering: Rendering) -> Iterator[Violation]:
    """An alert, a recording rule or a scaler's query on a metric, or a label of it, that nobody exposes."""
    known = {name: labels for service in SERVICES for name, labels in service.metrics.items()}
    recorded = {
        text(rule, "record")
        for each in rendering.of("PrometheusRule")
        for group in items(each.spec, "groups")
        for rule in items(group, "rules")
    }
    for where, expression in _expressions(rendering):
        for name, labels in metrics_in(expression).items():
            if name in recorded or OTHERS.match(name):
                continue
            if name not in known:
                yield Violation(
                    where,
                    f"asks for metric {name}, which neither service exposes",
                    "it is never true: the alert stays silent, the scaler still",
                    f"name a metric that is there, such as {_similar(name, known)}",
                )
            elif unknown := labels - known[name] - TARGET_LABELS:
                yield Violation(
                    where,
                    f"asks {name} for label {', '.join(sorted(unknown))}, it has {', '.join(sorted(known[name])) or 'none'}",
                    "it matches nothing: the alert stays silent",
                    "name a label that the metric has",
                )


def _similar(name: str, known: dict[str, frozenset[str]]) -> str:
    words = set(name.split("_"))
    return max(sorted(known), key=lambda each: len(words & set(each.split("_"))))


def _expressions(rendering: Rendering) -> Iterator[tuple[str, str]]:
    for each in rendering.of("PrometheusRule"):
        for group in items(each.spec, "groups"):
            for rule in items(group, "rules"):
                name = text(rule, "alert") or text(rule, "record")
                yield f"{each} {name}", text(rule, "expr")
    for each in rendering.of("ScaledObject"):
        for trigger in items(each.spec, "triggers"):
            if text(trigger, "type") == "prometheus":
                yield str(each), text(mapping(trigger, "metadata"), "query")
