"""Connections that no network policy opens, and policies that open nothing."""

from typing import Any

from packages.preflight.edges import implied, routed, scraped
from packages.preflight.network import Outside, entrances, is_open, isolating, policy_types
from packages.preflight.objects import Manifest, items, number
from packages.preflight.pods import Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering

MONITORING = "monitoring"
"""The namespace that scrapes."""


@rule("M500", why="connections hang until they time out")
def connection_that_no_network_policy_opens(rendering: Rendering) -> Hits:
    for workload, peer, port, setting in implied(rendering):
        name = str(peer) if isinstance(peer, Workload) else f"namespace {peer.namespace}"
        if not is_open(rendering, workload, "Egress", peer, port):
            what = f"no network policy lets it out to {name} on port {port} ({setting})"
            yield Hit(what, f"open egress to {name} on port {port}", on=workload)
        if isinstance(peer, Workload) and not is_open(rendering, peer, "Ingress", workload, port):
            what = f"no network policy lets {workload} in on port {port} ({setting})"
            yield Hit(what, f"open ingress from {workload} on port {port}", on=peer)


@rule("M501", why="no name resolves: every connection fails", cure="open egress to kube-system, port 53, UDP and TCP")
def pod_without_dns(rendering: Rendering) -> Hits:
    for workload in dict.fromkeys(source for source, *_ in implied(rendering)):
        for protocol in ("UDP", "TCP"):
            peers = (Outside("kube-system"), Outside(None))
            if not any(is_open(rendering, workload, "Egress", peer, 53, protocol) for peer in peers):
                yield Hit(f"no network policy opens the cluster's DNS (port 53, {protocol})", on=workload)


@rule("M502", why="clients get 504", cure="open ingress from the controller's namespace", severity="warning")
def route_whose_controller_no_network_policy_lets_in(rendering: Rendering) -> Hits:
    for route, workload, port in routed(rendering):
        is_let_in = set(entrances(rendering, workload, port)) - {MONITORING}
        if isolating(rendering, workload, "Ingress") and not is_let_in:
            yield Hit(f"no network policy lets the controller of {route} in on port {port}", on=workload)


@rule("M503", why="no metric arrives", cure=f"open ingress from namespace {MONITORING}", severity="warning")
def scrape_that_no_network_policy_lets_in(rendering: Rendering) -> Hits:
    for workload, port in dict.fromkeys(scraped(rendering)):
        is_let_in = set(entrances(rendering, workload, port)) & {MONITORING, "*"}
        if isolating(rendering, workload, "Ingress") and not is_let_in:
            yield Hit(f"no network policy lets the namespace {MONITORING} in on port {port}", on=workload)


@rule("M504", "NetworkPolicy", why="the rules have no effect: the traffic is not limited")
def rules_of_a_network_policy_without_their_type(_: Rendering, policy: Manifest) -> Hits:
    for direction in ("Ingress", "Egress"):
        if items(policy.spec, direction.lower()) and direction not in policy_types(policy):
            what = f"has {direction.lower()} rules, and policyTypes lacks {direction}"
            yield Hit(what, f"add {direction} to policyTypes")


@rule("M505", "NetworkPolicy", why="it opens nothing", cure="name a port of the pods")
def port_of_a_network_policy_that_no_pod_has(rendering: Rendering, policy: Manifest) -> Hits:
    if rendering.has_operator(policy.namespace):
        return
    found = [(each, [policy.spec.get("podSelector")]) for each in items(policy.spec, "ingress")]
    for each in items(policy.spec, "egress"):
        peers = items(each, "to")
        if all(set(peer) == {"podSelector"} for peer in peers):
            found.append((each, [peer["podSelector"] for peer in peers]))
    for each, selectors in found:
        for port in items(each, "ports"):
            pods = [pod for selector in selectors for pod in rendering.pods(policy.namespace, selector)]
            if pods and _is_missing(port, pods):
                have = "; ".join(f"{pod} has {pod.port_names}" for pod in pods[:3])
                yield f"port {port.get('port')} is open in no pod: {have}"


def _is_missing(port: dict[str, Any], pods: list[Workload]) -> bool:
    value = port.get("port")
    if isinstance(value, str):
        return not any(pod.port(value) for pod in pods)
    # A process may listen on a port that it does not declare; judge pods whose containers all declare theirs.
    if value is None or not all(container.ports for pod in pods for container in pod.running):
        return False
    declared = [number(each, "containerPort", default=0) for pod in pods for each in pod.ports]
    return not any(value <= each <= number(port, "endPort", default=value) for each in declared)
