"""The connections that network policies allow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packages.preflight.objects import Manifest, items, matches, number, text, texts
from packages.preflight.pods import Workload
from packages.preflight.rendering import Rendering


@dataclass(frozen=True)
class Outside:
    """A peer that is not in the rendering: pods of another namespace, or (None) an address of the internet."""

    namespace: str | None


Peer = Workload | Outside


def policy_types(policy: Manifest) -> list[str]:
    """`policyTypes`, or the default of Kubernetes."""
    return texts(policy.spec, "policyTypes") or ["Ingress", *(["Egress"] if "egress" in policy.spec else [])]


def isolating(rendering: Rendering, workload: Workload, direction: str) -> list[Manifest]:
    """The policies that isolate a pod in one direction (`Ingress` or `Egress`)."""
    return [
        policy
        for policy in rendering.of("NetworkPolicy", namespace=workload.namespace)
        if direction in policy_types(policy) and matches(policy.spec.get("podSelector"), workload.labels)
    ]


def is_open(
    rendering: Rendering, workload: Workload, direction: str, peer: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether policies on `workload` allow a connection from (`Ingress`) or to (`Egress`) the peer's port."""
    policies = isolating(rendering, workload, direction)
    listener = workload if direction == "Ingress" else peer
    return not policies or any(
        _port_fits(rule, listener, port, protocol) and _peer_fits(rendering, policy, rule, direction, peer)
        for policy in policies
        for rule in items(policy.spec, direction.lower())
    )


def _port_fits(rule: dict[str, Any], listener: Peer, port: int, protocol: str) -> bool:
    ports = items(rule, "ports")
    return not ports or any(_one_port_fits(each, listener, port, protocol) for each in ports)


def _one_port_fits(wanted: dict[str, Any], listener: Peer, port: int, protocol: str) -> bool:
    if (text(wanted, "protocol") or "TCP") != protocol:
        return False
    value = wanted.get("port")
    if isinstance(value, int):
        return value <= port <= number(wanted, "endPort", default=value)
    return value is None or (isinstance(listener, Workload) and listener.port(value) == port)


def _peer_fits(rendering: Rendering, policy: Manifest, rule: dict[str, Any], direction: str, peer: Peer) -> bool:
    peers = items(rule, "from" if direction == "Ingress" else "to")
    return not peers or any(_one_peer_fits(rendering, policy, each, peer) for each in peers)


def _one_peer_fits(rendering: Rendering, policy: Manifest, wanted: dict[str, Any], peer: Peer) -> bool:
    if "ipBlock" in wanted or peer.namespace is None:
        return "ipBlock" in wanted and isinstance(peer, Outside) and peer.namespace is None
    if "namespaceSelector" in wanted:
        if not matches(wanted["namespaceSelector"], rendering.namespace_labels(peer.namespace)):
            return False
    elif peer.namespace != policy.namespace:
        return False
    # The labels of pods of another namespace are unknown here.
    return isinstance(peer, Outside) or matches(wanted.get("podSelector"), peer.labels)


def entrances(rendering: Rendering, workload: Workload, port: int) -> Iterator[str]:
    """The namespaces from which policies allow a pod's port; "*" for one without a name."""
    for policy in isolating(rendering, workload, "Ingress"):
        for rule in items(policy.spec, "ingress"):
            if not _port_fits(rule, workload, port, "TCP"):
                continue
            if not items(rule, "from"):
                yield "*"
            for peer in items(rule, "from"):
                if "ipBlock" in peer or "namespaceSelector" in peer:
                    yield text(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") or "*"
