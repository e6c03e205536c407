"""Rules: selectors that match nothing, or somebody else's pods."""

from collections.abc import Iterator
from typing import Any

from packages.preflight.objects import Manifest, Rendering, dig, items, mapping, matches, text, texts
from packages.preflight.ours import processes
from packages.preflight.pods import Workload, selected, workloads
from packages.preflight.violation import Violation


def _written(selector: Any) -> str:
    parts = [f"{key}={value}" for key, value in mapping(selector, "matchLabels").items()]
    parts += [
        f"{text(each, 'key')} {text(each, 'operator')} {texts(each, 'values')}"
        for each in items(selector, "matchExpressions")
    ]
    return ", ".join(parts)


def own_pods(rendering: Rendering) -> Iterator[Violation]:
    """A workload that does not select the pods it makes."""
    for workload in workloads(rendering):
        if workload.manifest.kind not in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}:
            continue
        selector = dig(workload.manifest.spec, "selector")
        if not selector or not matches(selector, workload.labels):
            yield Violation(
                str(workload),
                f"its selector ({_written(selector) or 'none'}) does not match the labels of its own pods",
                "the API server refuses it: `selector` does not match template `labels`",
                "make spec.selector.matchLabels and spec.template.metadata.labels the same",
            )


def overlapping(rendering: Rendering) -> Iterator[Violation]:
    """Two controllers that claim each other's pods."""
    owners = [
        each
        for each in workloads(rendering)
        if each.manifest.kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}
    ]
    for owner in owners:
        selector = dig(owner.manifest.spec, "selector")
        for other in owners:
            if (
                other is not owner
                and selector
                and other.namespace == owner.namespace
                and matches(selector, other.labels)
            ):
                yield Violation(
                    str(owner),
                    f"its selector ({_written(selector)}) also takes the pods of {other}",
                    "both controllers count and delete each other's pods",
                    "select by app.kubernetes.io/name, a value for each workload",
                )


def services(rendering: Rendering) -> Iterator[Violation]:
    """A Service that sends to nobody."""
    for service in rendering.of("Service"):
        selector = mapping(service.spec, "selector")
        if selector and not selected(rendering, service):
            yield Violation(
                str(service),
                f"its selector ({_written({'matchLabels': selector})}) matches no pod",
                "it has no endpoints: every connection is refused",
                f"select labels that a pod has: {_labels_nearby(rendering, service)}",
            )
        if not selector and text(service.spec, "type") != "ExternalName" and not _has_endpoints(rendering, service):
            yield Violation(
                str(service),
                "has no selector, and nobody renders its EndpointSlice",
                "it has no endpoints: every connection is refused",
                f"select labels that a pod has: {_labels_nearby(rendering, service)}",
            )


def _has_endpoints(rendering: Rendering, service: Manifest) -> bool:
    slices = rendering.of("EndpointSlice", namespace=service.namespace)
    names = {text(each.labels, "kubernetes.io/service-name") for each in slices}
    return service.name in names or rendering.find("Endpoints", service.name, service.namespace) is not None


def unserved(rendering: Rendering) -> Iterator[Violation]:
    """One of our servers that no Service leads to."""
    reached = [workload.template for service in rendering.of("Service") for workload in selected(rendering, service)]
    for process in processes(rendering):
        if process.is_server and process.workload.template not in reached:
            yield Violation(
                str(process),
                "no Service selects its pods",
                f"nobody finds it: the name {process.service.name} does not resolve",
                f"render Service {process.service.name} with port {process.port}",
            )


def _labels_nearby(rendering: Rendering, manifest: Manifest) -> str:
    nearby = [workload for workload in workloads(rendering) if workload.namespace == manifest.namespace]
    best = [workload for workload in nearby if workload.manifest.name == manifest.name] or nearby
    return _written({"matchLabels": best[0].labels}) if best else "no workload is in its namespace"


def budgets_and_policies(rendering: Rendering) -> Iterator[Violation]:
    """A PodDisruptionBudget or NetworkPolicy for pods that do not exist."""
    for manifest, field, why in (
        *(
            (each, "selector", "it protects nothing: a drain takes all pods at once")
            for each in rendering.of("PodDisruptionBudget")
        ),
        *((each, "podSelector", "what it was to open stays closed") for each in rendering.of("NetworkPolicy")),
    ):
        selector = dig(manifest.spec, field)
        if manifest.kind == "PodDisruptionBudget" and selector is None:
            yield Violation(str(manifest), "has no selector", why, "select the pods that it is to protect")
        if _written(selector) and not _anyone(rendering, manifest.namespace, selector):
            yield Violation(
                str(manifest),
                f"{field} ({_written(selector)}) matches no pod",
                why,
                f"select labels that a pod has: {_labels_nearby(rendering, manifest)}",
            )


def policy_peers(rendering: Rendering) -> Iterator[Violation]:
    """A NetworkPolicy that lets in, or out to, pods that do not exist in its own namespace."""
    for policy in rendering.of("NetworkPolicy"):
        for direction, field in (("ingress", "from"), ("egress", "to")):
            for peer in (peer for rule in items(policy.spec, direction) for peer in items(rule, field)):
                selector = dig(peer, "podSelector")
                if (
                    not peer.get("namespaceSelector")
                    and _written(selector)
                    and not _anyone(rendering, policy.namespace, selector)
                ):
                    yield Violation(
                        str(policy),
                        f"its {direction} peer ({_written(selector)}) matches no pod",
                        "the connection it was to open stays closed",
                        "name the labels of the peer's pods",
                    )


def _anyone(rendering: Rendering, namespace: str, selector: Any) -> list[Workload]:
    return [each for each in workloads(rendering) if each.namespace == namespace and matches(selector, each.labels)]


def spread(rendering: Rendering) -> Iterator[Violation]:
    """A topology spread or anti-affinity that counts other pods than the workload's own."""
    for workload in workloads(rendering):
        for constraint in items(workload.spec, "topologySpreadConstraints"):
            selector = dig(constraint, "labelSelector")
            if not _written(selector) or not matches(selector, workload.labels):
                yield Violation(
                    str(workload),
                    f"its topology spread counts other pods ({_written(selector) or 'none'})",
                    "its own replicas may all land on one node",
                    "give the constraint the workload's own matchLabels",
                )


def monitors(rendering: Rendering) -> Iterator[Violation]:
    """A ServiceMonitor or PodMonitor that scrapes nothing."""
    for monitor in rendering.of("ServiceMonitor", "PodMonitor"):
        if mapping(monitor.spec, "namespaceSelector"):
            continue
        selector = dig(monitor.spec, "selector")
        if monitor.kind == "ServiceMonitor":
            targets = [
                each for each in rendering.of("Service", namespace=monitor.namespace) if matches(selector, each.labels)
            ]
            ports = {text(port, "name") for each in targets for port in items(each.spec, "ports")}
        else:
            pods = _anyone(rendering, monitor.namespace, selector)
            ports = {text(port, "name") for pod in pods for container in pod.containers for port in container.ports}
        field = "endpoints" if monitor.kind == "ServiceMonitor" else "podMetricsEndpoints"
        wanted = {text(endpoint, "port") for endpoint in items(monitor.spec, field)} - {""}
        if not ports:
            what = f"its selector ({_written(selector) or 'none'}) matches nothing that has a port"
        elif wanted - ports:
            what = f"it scrapes port {', '.join(sorted(wanted - ports))!r}, its targets have {', '.join(sorted(ports))}"
        else:
            continue
        yield Violation(
            str(monitor),
            what,
            "no metric arrives, and alerts on them stay silent",
            "name the labels and the port name of the Service",
        )
