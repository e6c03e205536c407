"""Requests, limits, quotas and claims that cannot be met."""

from collections.abc import Iterator
from decimal import Decimal

from packages.preflight.demand import amount, container_limits, demand, most_pods, of_pod, surge
from packages.preflight.objects import Manifest, dig, items, mapping, text, texts
from packages.preflight.pods import Container, Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering
from packages.preflight.services import Process

LEAST_MEMORY = 4 * 1024**2
"""Bytes: too few for any container to start."""
MOST_CPUS = 50
"""Beyond it the unit m is probably missing: 50m is a small request, 96 CPUs are a large node."""
LEAST_MEMORY_OF_OURS, MOST_MEMORY_OF_OURS = 96 * 1024**2, 2 * 1024**3


@rule("M400", "containers")
def quantity_that_is_malformed_or_lacks_its_unit(_: Rendering, container: Container) -> Hits:
    for part in ("requests", "limits"):
        for name, value in mapping(container.data, "resources", part).items():
            found = amount(container.data, "resources", part, name)
            if found is None:
                yield Hit(f"{part}.{name} is {value!r}, no quantity", "write it like 250m or 128Mi")
            elif name == "memory" and 0 < found < LEAST_MEMORY:
                unit = "a thousandth of a byte" if str(value).endswith("m") else "bytes"
                what = f"{part}.memory is {value}: {unit}, not Mi"
                yield Hit(what, "write it like 128Mi", "it is OOMKilled at start")
            elif name == "cpu" and found >= MOST_CPUS:
                yield Hit(f"{part}.cpu is {value}: whole CPUs", f"write it like {value}m", "no node has that many")


@rule("M401", "containers", cure="set the limit to the request or more")
def limit_below_the_request(_: Rendering, container: Container) -> Hits:
    for name, value in mapping(container.data, "resources", "requests").items():
        request, limit = (amount(container.data, "resources", part, name) for part in ("requests", "limits"))
        if request is not None and limit is not None and limit < request:
            yield f"requests {name} {value}, above its limit {dig(container.data, 'resources', 'limits', name)}"


@rule("M402", "processes")
def resources_that_do_not_fit_a_process_of_ours(_: Rendering, process: Process) -> Hits:
    requests, limits = (mapping(process.container.data, "resources", part) for part in ("requests", "limits"))
    cpu, memory, limit = amount(requests, "cpu"), amount(requests, "memory"), amount(limits, "memory")
    if cpu is not None and cpu > 1:
        why = f"{process.service.name} is one process: it cannot use more than one CPU"
        yield Hit(f"requests {requests['cpu']} CPU", "request 100m, and let the autoscaler add pods", why)
    if memory is not None and memory > MOST_MEMORY_OF_OURS:
        what, why = f"requests {requests['memory']} of memory", "no node may have that much free: its pods stay Pending"
        yield Hit(what, "request 128Mi", why)
    if limit is None:
        why = "a leak takes the node's memory, and other pods are killed for it"
        yield Hit("has no limits.memory", "set limits.memory to 256Mi", why)
    elif limit < LEAST_MEMORY_OF_OURS:
        why = f"{process.service.name} needs more to start: OOMKilled, exit code 137"
        yield Hit(f"may use {limits['memory']} of memory", "set limits.memory to 256Mi", why)


def _bounds(rendering: Rendering) -> Iterator[tuple[Manifest, str, Decimal]]:
    """Each bound of each quota that applies to every object of its namespace."""
    for quota in rendering.of("ResourceQuota"):
        for name in mapping(quota.spec, "hard") if not {"scopes", "scopeSelector"} & set(quota.spec) else ():
            if (allowed := amount(quota.spec, "hard", name)) is not None:
                yield quota, str(name), allowed


def _compute(name: str) -> tuple[str, str] | None:
    part, _, resource = name.rpartition(".")
    is_compute = part in {"", "requests", "limits"} and resource in {"cpu", "memory"}
    return (part or "requests", resource) if is_compute else None


@rule("M403", why="autoscaler and rolling updates stop half way: forbidden, exceeded quota")
def quota_below_the_workloads(rendering: Rendering) -> Hits:
    for quota, name, allowed in _bounds(rendering):
        needed = _needed(rendering, quota.namespace, name)
        if allowed < needed:
            written = f"{needed / 1024**2:.0f}Mi" if "memory" in name else f"{needed.normalize():f}"
            what = f"{name} {dig(quota.spec, 'hard', name)} is below the {written} of every workload at its maximum"
            yield Hit(what, f"set it to {written} or more", on=quota)


def _needed(rendering: Rendering, namespace: str, name: str) -> Decimal:
    pods = rendering.pods(namespace)
    if compute := _compute(name):
        return sum((of_pod(rendering, each, *compute) * most_pods(rendering, each) for each in pods), Decimal(0))
    if name in {"pods", "count/pods"}:
        return Decimal(sum(most_pods(rendering, each) for each in pods))
    return Decimal(0)


@rule("M404")
def container_without_the_resources_that_a_quota_demands(rendering: Rendering) -> Hits:
    for quota, name, _ in _bounds(rendering):
        part, resource = _compute(name) or ("", "")
        for workload in rendering.pods(quota.namespace) if part else []:
            for container in workload.containers:
                if demand(rendering, container, part, resource) is None:
                    what = f"container {container.name} sets no {part}.{resource}, which {quota} demands"
                    cure = f"set resources.{part}.{resource}, or a default by a LimitRange"
                    yield Hit(what, cure, f"no pod is created: forbidden, must specify {name}", on=workload)


@rule("M405", "containers", why="no pod is created: forbidden", cure="change the one or the other")
def container_beyond_its_limit_range(rendering: Rendering, container: Container) -> Hits:
    for limits in container_limits(rendering, container.namespace):
        for resource in mapping(limits, "max"):
            most, has = amount(limits, "max", resource), amount(container.data, "resources", "limits", resource)
            if most is not None and has is not None and has > most:
                written = dig(container.data, "resources", "limits", resource)
                yield f"limit {resource} is {written}, the LimitRange allows {dig(limits, 'max', resource)}"


@rule("M406", "workloads", why="pods on another node stay in ContainerCreating: Multi-Attach error")
def volume_of_one_node_under_several_pods(rendering: Rendering, workload: Workload) -> Hits:
    for volume in items(workload.spec, "volumes"):
        name = text(volume, "persistentVolumeClaim", "claimName")
        claim = rendering.find("PersistentVolumeClaim", name, workload.namespace)
        modes = set(texts(claim.spec, "accessModes")) if claim else set()
        if not modes or not modes <= {"ReadWriteOnce", "ReadWriteOncePod"} or not workload.is_long_running:
            continue
        pods, shown = rendering.replicas(workload)[1], f"{claim}, which is {', '.join(sorted(modes))}"
        if pods > 1:
            yield Hit(f"up to {pods} pods share {shown}", "use volumeClaimTemplates, or claim ReadWriteMany")
        elif pods == 1 and surge(workload.manifest, pods):
            cure = "set strategy.type: Recreate, or maxSurge: 0 and maxUnavailable: 1"
            yield Hit(f"a rolling update starts a second pod with {shown}", cure)
