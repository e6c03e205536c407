"""Rules: network policies that open more than anyone asked for, and pods that they forgot."""

from collections.abc import Iterator

from gateway_site.manifests.network import isolating, policy_types
from gateway_site.manifests.objects import Rendering, items
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
    for workload in workloads(rendering):
        for direction in ("Ingress", "Egress"):
            others = [
                each
                for each in rendering.of("NetworkPolicy", namespace=workload.namespace)
                if direction in policy_types(each)
            ]
            if others and not isolating(rendering, workload, direction):
                yield Violation(
                    str(workload),
                    f"no network policy of its namespace limits its {direction.lower()}",
                    "what was to be closed by default is open",
                    "add a policy with an empty podSelector and both policyTypes",
                )
