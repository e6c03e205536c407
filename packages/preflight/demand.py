"""Kubernetes quantities (`250m`, `128Mi`) as numbers, and the resources of containers and pods."""

import re
from decimal import Decimal
from typing import Any

from packages.preflight.objects import Manifest, dig, items, number, text
from packages.preflight.pods import Container, Workload
from packages.preflight.rendering import Rendering

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i))?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def amount(data: Any, *path: str) -> Decimal | None:
    """Cores or bytes at `path`; None if the quantity is missing or invalid."""
    value = dig(data, *path)
    match = None if value is None or isinstance(value, bool) else _FORM.fullmatch(str(value))
    if match is None:
        return None
    digits, exponent, suffix = match.groups()
    if suffix in _BINARY:
        return Decimal(digits) * Decimal(1024) ** _BINARY[suffix]
    return Decimal(digits + (exponent or "")).scaleb(_DECIMAL.get(suffix, 0))


def demand(rendering: Rendering, container: Container, part: str, resource: str) -> Decimal | None:
    """A container's request or limit, with the defaults of Kubernetes and of the namespace's LimitRange."""
    parts = ("requests", "limits") if part == "requests" else ("limits",)
    fields = ("defaultRequest", "default") if part == "requests" else ("default", "max")
    found = [amount(container.data, "resources", each, resource) for each in parts]
    for rule in container_limits(rendering, container.namespace):
        found += [amount(rule, field, resource) for field in fields]
    return next((each for each in found if each is not None), None)


def container_limits(rendering: Rendering, namespace: str) -> list[dict[str, object]]:
    ranges = rendering.of("LimitRange", namespace=namespace)
    return [each for found in ranges for each in items(found.spec, "limits") if text(each, "type") == "Container"]


def of_pod(rendering: Rendering, workload: Workload, part: str, resource: str) -> Decimal:
    """Init containers run one by one, beside the sidecars."""

    def taken(container: Container) -> Decimal:
        return demand(rendering, container, part, resource) or Decimal(0)

    main = {text(each, "name") for each in items(workload.spec, "containers")}
    sidecars = sum((taken(each) for each in workload.running if each.name not in main), Decimal(0))
    init = max((taken(each) for each in workload.containers if each.is_init), default=Decimal(0))
    return max(sum((taken(each) for each in workload.running), Decimal(0)), init + sidecars)


def most_pods(rendering: Rendering, workload: Workload) -> int:
    """The maximum number of pods, during a rolling update."""
    if not workload.is_long_running:
        spec = dig(workload.manifest.spec, "jobTemplate", "spec") or workload.manifest.spec
        return number(spec, "parallelism", default=1)
    most = rendering.replicas(workload)[1]
    return most + surge(workload.manifest, most)


def surge(manifest: Manifest, replicas: int) -> int:
    """How many pods a rolling update of a Deployment adds."""
    if manifest.kind != "Deployment" or text(manifest.spec, "strategy", "type") == "Recreate":
        return 0
    return share(dig(manifest.spec, "strategy", "rollingUpdate", "maxSurge") or "25%", replicas)


def share(value: object, of: int) -> int:
    """A count, or a percentage of one, rounded up."""
    written = str(value)
    if written.endswith("%") and written[:-1].isdigit():
        return (of * int(written[:-1]) + 99) // 100
    return int(written) if written.isdigit() else 0
