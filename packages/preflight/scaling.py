"""Rules: autoscalers, budgets and replicas that work against each other, or point at nothing."""

from collections.abc import Iterator
from typing import Any

from packages.preflight.objects import Manifest, Rendering, dig, items, mapping, matches, number, text
from packages.preflight.ours import processes
from packages.preflight.pods import Workload, workloads
from packages.preflight.violation import Violation

SCALERS = {
    "HorizontalPodAutoscaler": ("minReplicas", "maxReplicas"),
    "ScaledObject": ("minReplicaCount", "maxReplicaCount"),
}


def scalers(rendering: Rendering, workload: Workload) -> list[Manifest]:
    """The autoscalers of a workload."""
    return [
        scaler
        for scaler in rendering.of(*SCALERS, namespace=workload.namespace)
        if _target(scaler) == (workload.manifest.kind, workload.manifest.name)
    ]


def _target(scaler: Manifest) -> tuple[str, str]:
    target = mapping(scaler.spec, "scaleTargetRef")
    return text(target, "kind") or "Deployment", text(target, "name")


def _bounds(scaler: Manifest) -> tuple[int, int]:
    least, most = SCALERS[scaler.kind]
    default = (1, 1) if scaler.kind == "HorizontalPodAutoscaler" else (0, 100)
    return number(scaler.spec, least, default=default[0]), number(scaler.spec, most, default=default[1])


def least_replicas(rendering: Rendering, workload: Workload) -> int:
    """How few pods of a workload there may be."""
    found = scalers(rendering, workload)
    return (
        min(_bounds(scaler)[0] for scaler in found) if found else number(workload.manifest.spec, "replicas", default=1)
    )


def most_replicas(rendering: Rendering, workload: Workload) -> int:
    """How many pods of a workload there may be, a rolling update's surge not counted."""
    found = scalers(rendering, workload)
    if found:
        return max(_bounds(scaler)[1] for scaler in found)
    return number(workload.manifest.spec, "replicas", default=1)


def targets(rendering: Rendering) -> Iterator[Violation]:
    """An autoscaler of a workload that is not there, or with bounds that no number fits."""
    for scaler in rendering.of(*SCALERS):
        kind, name = _target(scaler)
        if rendering.find(kind, name, scaler.namespace) is None:
            yield Violation(
                str(scaler),
                f"scales {kind} {name!r}, which is not there",
                "nothing is ever scaled",
                "name the workload as it is named in its manifest",
            )
        least, most = _bounds(scaler)
        if least > most:
            yield Violation(
                str(scaler),
                f"its minimum {least} is above its maximum {most}",
                "the API server refuses it",
                "set the maximum to the minimum or more",
            )


def rivals(rendering: Rendering) -> Iterator[Violation]:
    """Two autoscalers on one workload, or one and a number of replicas in the manifest."""
    for workload in workloads(rendering):
        found = scalers(rendering, workload)
        if len(found) > 1:
            yield Violation(
                str(workload),
                f"is scaled by {' and '.join(map(str, found))}",
                "they undo each other's work for ever",
                "keep one",
            )
        if found and "replicas" in workload.manifest.spec:
            yield Violation(
                str(workload),
                f"sets replicas {dig(workload.manifest.spec, 'replicas')} and is scaled by {found[0]}",
                "each apply throws away the number that the load asked for",
                "leave replicas out",
            )


def metrics(rendering: Rendering) -> Iterator[Violation]:
    """An autoscaler by a share of a request that the containers do not make."""
    for workload in workloads(rendering):
        for scaler in scalers(rendering, workload):
            wanted = {
                text(each, "resource", "name")
                for each in items(scaler.spec, "metrics")
                if text(each, "resource", "target", "type") == "Utilization"
            }
            for resource in sorted(wanted):
                for container in workload.main_containers:
                    if dig(container.data, "resources", "requests", resource) is None:
                        yield Violation(
                            str(scaler),
                            f"scales by {resource}, of which container {container.name} requests nothing",
                            "utilisation is a share of the request: it never scales",
                            f"set resources.requests.{resource}",
                        )


def budgets(rendering: Rendering) -> Iterator[Violation]:
    """A budget that lets no pod go: every node drain hangs."""
    for budget in rendering.of("PodDisruptionBudget"):
        if not {"minAvailable", "maxUnavailable"} & set(budget.spec):
            yield Violation(
                str(budget),
                "names neither minAvailable nor maxUnavailable",
                "it protects nothing: a drain takes all pods at once",
                "set maxUnavailable: 1",
            )
        for workload in workloads(rendering):
            if (
                workload.namespace != budget.namespace
                or not matches(dig(budget.spec, "selector"), workload.labels)
                or not mapping(budget.spec, "selector")
            ):
                continue
            least = least_replicas(rendering, workload)
            if _kept(budget.spec, least) >= least:
                written = {key: budget.spec[key] for key in ("minAvailable", "maxUnavailable") if key in budget.spec}
                yield Violation(
                    str(budget),
                    f"{written} of {workload}, which may have {least} pods",
                    "no pod may ever be evicted: every node drain hangs",
                    "allow one to go: maxUnavailable: 1, or raise the minimum of the autoscaler",
                )


def unprotected(rendering: Rendering) -> Iterator[Violation]:
    """One of our servers, of several pods, that no budget protects."""
    for process in processes(rendering):
        workload = process.workload
        budgets_ = rendering.of("PodDisruptionBudget", namespace=workload.namespace)
        is_protected = any(matches(dig(each.spec, "selector"), workload.labels) for each in budgets_)
        if process.is_server and least_replicas(rendering, workload) > 1 and not is_protected:
            yield Violation(
                str(workload),
                "no PodDisruptionBudget selects its pods",
                "a drain of two nodes may take all of them at once",
                "render one with minAvailable: 1",
            )


def _kept(spec: dict[str, Any], replicas: int) -> int:
    """How many pods must stay."""

    def count(value: Any) -> int:
        share = str(value)
        return (
            -(-replicas * int(share[:-1]) // 100)
            if share.endswith("%") and share[:-1].isdigit()
            else int(share)
            if share.isdigit()
            else 0
        )

    if "maxUnavailable" in spec:
        return replicas - count(spec["maxUnavailable"])
    return count(spec.get("minAvailable", 0))


def replicas(rendering: Rendering) -> Iterator[Violation]:
    """A workload of no pods."""
    for workload in workloads(rendering):
        if dig(workload.manifest.spec, "replicas") == 0 and workload.is_long_running:
            yield Violation(
                str(workload),
                "replicas is 0",
                "nothing runs: every request is refused",
                "set replicas to 2, or leave it to an autoscaler",
            )


def rollouts(rendering: Rendering) -> Iterator[Violation]:
    """An update that cannot move, or that stops every pod of a service at once."""
    for deployment in rendering.of("Deployment"):
        strategy = mapping(deployment.spec, "strategy")
        surge, unavailable = (dig(strategy, "rollingUpdate", key) for key in ("maxSurge", "maxUnavailable"))
        if str(surge) in {"0", "0%"} and str(unavailable) in {"0", "0%"}:
            yield Violation(
                str(deployment),
                "maxSurge and maxUnavailable are both 0",
                "the API server refuses it: no update could ever move",
                "set maxSurge: 1",
            )
        workload = Workload(deployment, mapping(deployment.spec, "template"))
        if scalers(rendering, workload) and (text(strategy, "type") == "Recreate" or str(unavailable) == "100%"):
            yield Violation(
                str(deployment),
                "its update stops every pod before it starts one",
                "each deploy is an outage",
                "use RollingUpdate with maxSurge: 1, maxUnavailable: 0",
            )
