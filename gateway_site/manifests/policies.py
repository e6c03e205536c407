"""Rules: network policies that open more than anyone asked for, and pods that they forgot."""

from collections.abc import Iterator

from gateway_site.manifests.network import isolating, policy_types
from gateway_site.manifests.objects import Rendering, items
from gateway_site.manifests.ours import processes
from gateway_site.manifests.pods import workloads
from gateway_site.manifests.violation import Violation


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
