"""Rules: quotas that the autoscalers would break, limits that a namespace refuses."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from packages.preflight.objects import Manifest, Rendering, dig, items, mapping, number, text
from packages.preflight.pods import Container, Workload, workloads
from packages.preflight.resources import amount
from packages.preflight.scaling import most_replicas
from packages.preflight.violation import Violation


def _in(rendering: Rendering, manifest: Manifest) -> list[Workload]:
    return [each for each in workloads(rendering) if each.namespace == manifest.namespace]


def quotas(rendering: Rendering) -> Iterator[Violation]:
    """A ResourceQuota that every autoscaler at its maximum would break."""
    for quota in rendering.of("ResourceQuota"):
        for name, value in mapping(quota.spec, "hard").items():
            part, _, resource = str(name).partition(".")
            allowed = amount(quota.spec, "hard", name)
            if part not in {"requests", "limits"} or resource not in {"cpu", "memory"} or allowed is None:
                continue
            needed = sum((_at_most(rendering, each, part, resource) for each in _in(rendering, quota)), Decimal(0))
            if allowed < needed:
                yield Violation(
                    str(quota),
                    f"{name} {value} is below the {_readable(needed, resource)} of every workload at its maximum",
                    "the autoscaler and rolling updates stop half way: forbidden, exceeded quota",
                    f"set it to {_readable(needed, resource)} or more",
                )


def limit_ranges(rendering: Rendering) -> Iterator[Violation]:
    """A container beyond the LimitRange of its namespace."""
    for limits in rendering.of("LimitRange"):
        rules = [each for each in items(limits.spec, "limits") if text(each, "type") == "Container"]
        for workload in _in(rendering, limits):
            for container in workload.containers:
                for rule in rules:
                    yield from _beyond(limits, rule, workload, container)


def _beyond(limits: Manifest, rule: dict[str, Any], workload: Workload, container: Container) -> Iterator[Violation]:
    for resource in mapping(rule, "max"):
        most, has = amount(rule, "max", resource), amount(container.data, "resources", "limits", resource)
        if most is not None and has is not None and has > most:
            written = dig(container.data, "resources", "limits", resource)
            yield Violation(
                str(workload),
                f"container {container.name} has limit {resource} {written}, {limits} allows {dig(rule, 'max', resource)}",
                "no pod is created: forbidden",
                "lower the one or raise the other",
            )


def _at_most(rendering: Rendering, workload: Workload, part: str, resource: str) -> Decimal:
    """What a workload takes at its maximum, with the surge of a rolling update."""

    def taken(containers: list[Container]) -> list[Decimal]:
        return [amount(each.data, "resources", part, resource) or Decimal(0) for each in containers]

    init = taken([each for each in workload.containers if each.is_init])
    pod = max([sum(taken(workload.main_containers), Decimal(0)), *init])
    surge = number(workload.manifest.spec, "strategy", "rollingUpdate", "maxSurge", default=1)
    return pod * (most_replicas(rendering, workload) + (surge if workload.manifest.kind == "Deployment" else 0))


def _readable(needed: Decimal, resource: str) -> str:
    return f"{needed.normalize():f}" if resource == "cpu" else f"{needed / 1024**2:.0f}Mi"
