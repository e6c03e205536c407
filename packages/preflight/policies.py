"""Rules: network policies that open more than anyone asked for, and pods that they forgot."""

from collections.abc import Iterator

from packages.preflight.edges import implied
from packages.preflight.network import is_open, isolating, policy_types
from packages.preflight.objects import Manifest, Rendering, items, number
from packages.preflight.ours import processes
from packages.preflight.pods import Workload, workloads
from packages.preflight.violation import Violation


def defaults(rendering: Rendering) -> Iterator[Violation]:
    """Policies beside our services, of which none closes what no other one opens."""
    for namespace in sorted({process.workload.namespace for process in processes(rendering)}):
        policies = rendering.of("NetworkPolicy", namespace=namespace)
        for direction in ("Ingress", "Egress"):
            closing = [each for each in policies if direction in policy_types(each) and not _opens(each, direction)]
            if policies and not any(not each.spec.get("podSelector") for each in closing):
                yield Violation(
                    f"Namespace/{namespace}",
                    f"no network policy denies all {direction.lower()} by default",
                    "a pod that no policy selects, the next one that somebody adds, is open",
                    "add a policy with an empty podSelector, both policyTypes and no rule",
                )


def _opens(policy: Manifest, direction: str) -> bool:
    return bool(items(policy.spec, direction.lower()))


def unasked(rendering: Rendering) -> Iterator[Violation]:
    """A way in to one of our services, or to a store of theirs, for a pod of which no setting asks for it."""
    asked = [(source.template, target.template, port) for source, target, port, _ in implied(rendering)
             if isinstance(target, Workload)]  # fmt: skip
    ours = [process.workload for process in processes(rendering) if process.is_server]
    for target in {id(each.template): each for each in [*ours, *_stores(rendering)]}.values():
        others = [each for each in workloads(rendering) if each.template != target.template]
        ports = [number(port, "containerPort", default=0) for each in target.main_containers for port in each.ports]
        sources = [
            each
            for each in others
            if each.namespace == target.namespace and not (_is_store(each) and _is_store(target))
        ]
        for source, port in ((each, port) for each in sources for port in ports):
            is_in = isolating(rendering, target, "Ingress") and is_open(rendering, target, "Ingress", source, port)
            if is_in and (source.template, target.template, port) not in asked:
                yield Violation(
                    str(target),
                    f"its network policies let {source} in on port {port}, and no setting of that asks for it",
                    "whoever breaks in there gets here too",
                    "name only the pods that connect",
                )


def _stores(rendering: Rendering) -> list[Workload]:
    """The Redis servers that settings of our services lead to."""
    sources = [process.workload.template for process in processes(rendering)]
    targets = [target for source, target, *_ in implied(rendering) if source.template in sources]
    return [each for each in targets if isinstance(each, Workload) and _is_store(each)]


def _is_store(workload: Workload) -> bool:
    """Redis and its sentinels: who speaks to whom among those is Redis' own configuration."""
    return any(each.image.split("@")[0].rpartition("/")[2].split(":")[0] in {"redis", "valkey"}
               for each in workload.main_containers)  # fmt: skip


def openings(rendering: Rendering) -> Iterator[Violation]:
    """Policies that open more than anyone asked for, and pods that the policies of their namespace forgot."""
    for policy in rendering.of("NetworkPolicy"):
        if "Egress" in policy_types(policy):
            for rule in items(policy.spec, "egress"):
                if not items(rule, "to"):
                    yield Violation(
                        str(policy),
                        "an egress rule names nobody (`to` is empty)",
                        "its pods may connect to every address of the internet",
                        "name the peer",
                    )
        for rule in items(policy.spec, "ingress"):
            if not items(rule, "from") and not items(rule, "ports"):
                yield Violation(
                    str(policy),
                    "an ingress rule names nobody and no port",
                    "everybody may connect to every port",
                    "name the peer and the port",
                )
    ours = {process.workload.namespace for process in processes(rendering)}
    for workload in workloads(rendering):
        policies = rendering.of("NetworkPolicy", namespace=workload.namespace)
        # Policies for single pods of others say nothing of their neighbours; one for all pods says that closed is the rule.
        is_closed = workload.namespace in ours or any(not each.spec.get("podSelector") for each in policies)
        for direction in ("Ingress", "Egress") if is_closed else ():
            others = [each for each in policies if direction in policy_types(each)]
            if others and not isolating(rendering, workload, direction):
                yield Violation(
                    str(workload),
                    f"no network policy of its namespace limits its {direction.lower()}",
                    "what was to be closed by default is open",
                    "add a policy with an empty podSelector and both policyTypes",
                )
