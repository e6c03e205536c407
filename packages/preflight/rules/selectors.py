"""Selectors that match nothing, or the pods of others."""

from typing import Any

from packages.preflight.objects import Manifest, dig, items, mapping, matches, text, written
from packages.preflight.pods import CONTROLLERS, Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering
from packages.preflight.services import Process


def _unmatched(rendering: Rendering, manifest: Manifest, selector: Any, what: str) -> Hits:
    """A hit if a selector certainly matches no pod: there is none, and no operator that may create one."""
    shown, namespace = written(selector), manifest.namespace
    is_open = rendering.has_operator(namespace) or namespace.startswith("kube-")
    if shown and not is_open and not rendering.pods(namespace, selector):
        nearby = rendering.pods(namespace)
        best = [each for each in nearby if each.name == manifest.name] or nearby
        labels = written({"matchLabels": best[0].labels}) if best else "no workload is in its namespace"
        yield Hit(f"{what} ({shown}) matches no pod", f"select labels that a pod has: {labels}")


@rule("M100", "workloads", cure="make selector and template labels the same")
def workload_does_not_select_its_own_pods(_: Rendering, each: Workload) -> Hits:
    selector = dig(each.manifest.spec, "selector")
    if each.kind in CONTROLLERS and not (selector and matches(selector, each.labels)):
        yield f"its selector ({written(selector) or 'none'}) does not match the labels of its own pods"


@rule("M101", "workloads", why="both delete each other's pods", cure="select by a label of its own")
def workload_selects_the_pods_of_another(rendering: Rendering, each: Workload) -> Hits:
    selector = dig(each.manifest.spec, "selector")
    for other in rendering.pods(each.namespace, selector) if each.kind in CONTROLLERS and written(selector) else []:
        if other is not each and other.kind in CONTROLLERS:
            yield f"its selector ({written(selector)}) also takes the pods of {other}"


@rule("M102", "Service", why="it has no endpoints: every connection is refused")
def service_without_endpoints(rendering: Rendering, service: Manifest) -> Hits:
    selector = {"matchLabels": mapping(service.spec, "selector")}
    yield from _unmatched(rendering, service, selector, "its selector")
    slices = rendering.of("EndpointSlice", namespace=service.namespace)
    given = {text(each.labels, "kubernetes.io/service-name") for each in slices}
    given |= {each.name for each in rendering.of("Endpoints", namespace=service.namespace)}
    if not written(selector) and text(service.spec, "type") != "ExternalName" and service.name not in given:
        # A controller may add endpoints.
        yield Hit("has no selector and no EndpointSlice", "select labels that a pod has", is_certain=False)


@rule("M103", "servers", why="its name does not resolve", cure="render a Service that selects its pods")
def server_of_ours_without_a_service(rendering: Rendering, process: Process) -> Hits:
    if not rendering.services_of(process.workload):
        yield "no Service selects its pods"


@rule("M104", "PodDisruptionBudget", why="it protects nothing: a drain takes all pods at once")
def disruption_budget_that_protects_nothing(rendering: Rendering, budget: Manifest) -> Hits:
    yield from _unmatched(rendering, budget, dig(budget.spec, "selector"), "selector")
    if "selector" not in budget.spec:
        yield Hit("has no selector", "select the pods that it protects")
    if not {"minAvailable", "maxUnavailable"} & set(budget.spec):
        yield Hit("names neither minAvailable nor maxUnavailable", "set maxUnavailable: 1")


@rule("M105", "workloads", why="evictions fail: every node drain hangs", cure="keep one budget")
def two_disruption_budgets_for_one_pod(rendering: Rendering, each: Workload) -> Hits:
    if len(budgets := rendering.budgets[each]) > 1:
        yield f"is selected by {' and '.join(map(str, budgets))}"


@rule("M106", "NetworkPolicy", why="the connection it should open stays closed")
def network_policy_for_pods_that_do_not_exist(rendering: Rendering, policy: Manifest) -> Hits:
    yield from _unmatched(rendering, policy, dig(policy.spec, "podSelector"), "podSelector")
    for direction, field in (("ingress", "from"), ("egress", "to")):
        for peer in (peer for each in items(policy.spec, direction) for peer in items(each, field)):
            if "namespaceSelector" not in peer:
                yield from _unmatched(rendering, policy, dig(peer, "podSelector"), f"its {direction} peer")


@rule("M107", "workloads", why="its own replicas may share a node", cure="select its own labels", severity="warning")
def topology_spread_over_other_pods(_: Rendering, each: Workload) -> Hits:
    for constraint in items(each.spec, "topologySpreadConstraints"):
        selector = dig(constraint, "labelSelector")
        if not written(selector) or not matches(selector, each.labels):
            yield f"its topology spread counts other pods ({written(selector) or 'none'})"


@rule("M108", "ServiceMonitor", "PodMonitor", why="no metric arrives", cure="name labels and port of the target")
def monitor_that_scrapes_nothing(rendering: Rendering, monitor: Manifest) -> Hits:
    if mapping(monitor.spec, "namespaceSelector") or rendering.has_operator(monitor.namespace):
        return
    selector, is_service = dig(monitor.spec, "selector"), monitor.kind == "ServiceMonitor"
    services = [items(each.spec, "ports") for each in rendering.of("Service", namespace=monitor.namespace)
                if matches(selector, each.labels)]  # fmt: skip
    pods = [each.ports for each in rendering.pods(monitor.namespace, selector)]
    ports = {text(port, "name") for found in (services if is_service else pods) for port in found}
    endpoints = items(monitor.spec, "endpoints" if is_service else "podMetricsEndpoints")
    missing = sorted({text(endpoint, "port") for endpoint in endpoints} - {""} - ports)
    if not ports:
        yield f"its selector ({written(selector) or 'none'}) matches nothing that has a port"
    elif missing:
        yield f"it scrapes port {', '.join(missing)!r}, its targets have {', '.join(sorted(ports))}"
