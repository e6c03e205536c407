"""Connections that no network policy opens."""

from packages.preflight.edges import implied, routed, scraped
from packages.preflight.network import Outside, entrances, is_open, isolating, policy_types
from packages.preflight.objects import Manifest, items
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
