"""Rules: connections that the settings imply, and that nobody answers or no network policy opens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packages.preflight.environment import environment
from packages.preflight.network import Outside, Peer, entrances, is_open, isolating
from packages.preflight.objects import Manifest, Rendering, dig, items, matches, number, text
from packages.preflight.pods import Workload, selected, workloads
from packages.preflight.ports import ingress_backends, route_backends, target_port
from packages.preflight.violation import Violation

DEFAULT_PORTS = {
    "amqp": 5672,
    "grpc": 0,
    "http": 80,
    "https": 443,
    "mongodb": 27017,
    "mysql": 3306,
    "nats": 4222,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "redis+cluster": 6379,
    "redis+sentinel": 26379,
    "rediss": 6379,
    "rediss+cluster": 6379,
    "rediss+sentinel": 26379,
    "tcp": 0,
}
"""Schemes whose authority is a host name (that of s3:// is a bucket), and the port they mean; 0: none."""

_URL = re.compile(r"^(?P<scheme>[a-z][a-z0-9+]*)://(?:[^/@\s]*@)?(?P<hosts>[^/\s?#]+)")
_HOST = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Address:
    """A host and port that a setting tells a process to connect to."""

    setting: str
    host: str
    port: int


def addresses(variables: dict[str, str | None]) -> Iterator[Address]:
    """Every address that a container's environment names: URLs, and NAME_HOST with its NAME_PORT."""
    for name, value in variables.items():
        url = _URL.match(value or "")
        if url and url["scheme"] in DEFAULT_PORTS:
            for each in url["hosts"].split(","):
                host, _, port = each.rpartition(":") if re.search(r":\d+$", each) else (each, "", "")
                yield Address(name, host, int(port or DEFAULT_PORTS[url["scheme"]]))
        elif name.endswith("_HOST") and value and _HOST.match(value):
            port = variables.get(name.removesuffix("HOST") + "PORT") or ""
            yield Address(name, value, int(port) if port.isdecimal() else 0)


def service_at(rendering: Rendering, host: str, namespace: str) -> tuple[str, Manifest | None, bool] | None:
    """The namespace, Service and whether that is rendered here, for a name within the cluster; None for one of the internet."""
    host = re.sub(r"\.svc(\.cluster\.local)?\.?$", "", host)
    labels = host.split(".")
    rendered = {each.namespace for each in rendering.of("Service")} | {each.name for each in rendering.of("Namespace")}
    if host in LOCAL or host.replace(".", "").isdigit():
        return None
    if len(labels) == 1:
        return namespace, rendering.find("Service", host, namespace), True
    if (
        len(labels) == 2
        and (governing := rendering.find("Service", labels[1], namespace))
        and re.search(r"-\d+$", labels[0])
    ):
        return namespace, governing, True  # a StatefulSet's pod by name
    if len(labels) == 2:
        return labels[1], rendering.find("Service", labels[0], labels[1]), labels[1] in rendered
    return None


def _connections(rendering: Rendering) -> Iterator[tuple[Workload, Address]]:
    for workload in workloads(rendering):
        seen = {
            address
            for container in workload.containers
            for address in addresses(environment(rendering, workload, container))
        }
        yield from ((workload, address) for address in sorted(seen, key=str))


def hosts(rendering: Rendering) -> Iterator[Violation]:
    """A setting that names a Service, or a port of it, that is not there."""
    for workload, address in _connections(rendering):
        found = service_at(rendering, address.host, workload.namespace)
        if found is None or not found[2]:
            continue
        service = found[1]
        if service is None:
            names = ", ".join(sorted(each.name for each in rendering.of("Service", namespace=found[0]))) or "none"
            yield Violation(
                str(workload),
                f"{address.setting} names host {address.host!r}, which no Service serves",
                "its name does not resolve: every request fails",
                f"name a Service that is there: {names}",
            )
        elif _service_ports(service) and address.port and address.port not in _service_ports(service):
            yield Violation(
                str(workload),
                f"{address.setting} names {address.host}:{address.port}, "
                f"{service} has port {', '.join(map(str, _service_ports(service)))}",
                "connections are refused or hang",
                "use a port that the Service has",
            )


def _service_ports(service: Manifest) -> list[int]:
    return [number(port, "port", default=0) for port in items(service.spec, "ports")]


def implied(rendering: Rendering) -> Iterator[tuple[Workload, Peer, int, str]]:
    """Each connection that the settings imply: who, to whom, to which port of the pod, by which setting."""
    for workload, address in _connections(rendering):
        found = service_at(rendering, address.host, workload.namespace)
        if found is None:
            continue
        namespace, service, is_here = found
        if not is_here:
            yield workload, Outside(namespace), address.port, address.setting
        for port in items(service.spec, "ports") if service else []:
            if service and address.port in {0, port.get("port")}:
                for target in selected(rendering, service):
                    yield (
                        workload,
                        target,
                        target.port(target_port(port)) or number(port, "port", default=0),
                        address.setting,
                    )


def closed(rendering: Rendering) -> Iterator[Violation]:
    """A connection that the settings imply and the policies of either side do not open."""
    for workload, peer, port, setting in implied(rendering):
        name = str(peer) if isinstance(peer, Workload) else f"namespace {peer.namespace}"
        if not is_open(rendering, workload, "Egress", peer, port):
            yield Violation(
                str(workload),
                f"no network policy lets it out to {name} on port {port} ({setting})",
                "connections hang until they time out",
                f"open egress to {name} on port {port}",
            )
        if isinstance(peer, Workload) and not is_open(rendering, peer, "Ingress", workload, port):
            yield Violation(
                str(peer),
                f"no network policy lets {workload} in on port {port} ({setting})",
                "connections hang until they time out",
                f"open ingress from {workload} on port {port}",
            )


def names(rendering: Rendering) -> Iterator[Violation]:
    """A pod that must resolve names, and may not ask the cluster's DNS."""
    for workload in {id(each.template): each for each, *_ in implied(rendering)}.values():
        for protocol in ("UDP", "TCP"):
            dns, internet = Outside("kube-system"), Outside(None)
            if not any(is_open(rendering, workload, "Egress", peer, 53, protocol) for peer in (dns, internet)):
                yield Violation(
                    str(workload),
                    f"no network policy lets it ask the cluster's DNS (port 53, {protocol})",
                    "no name resolves: every connection fails",
                    "open egress to kube-system, k8s-app=kube-dns, port 53, UDP and TCP",
                )


def doors(rendering: Rendering) -> Iterator[Violation]:
    """An Ingress or route, or a scrape, whose traffic no policy lets in."""
    for route in rendering.of("Ingress", "HTTPRoute", "GRPCRoute"):
        for name, wanted in ingress_backends(route) if route.kind == "Ingress" else route_backends(route):
            service = rendering.find("Service", name, route.namespace)
            for port in items(service.spec, "ports") if service else []:
                for target in (
                    selected(rendering, service) if service and wanted in (port.get("port"), port.get("name")) else []
                ):
                    listens = target.port(target_port(port)) or 0
                    sources = {source for source in entrances(rendering, target, listens) if source != "monitoring"}
                    if isolating(rendering, target, "Ingress") and not sources:
                        yield Violation(
                            str(target),
                            f"{route} leads here, and no network policy lets its controller in on port {listens}",
                            "clients get 504 from the door",
                            "open ingress from the controller's namespace",
                        )
    for target, scraped in sorted(_scrapes(rendering), key=str):
        sources = set(entrances(rendering, target, scraped))
        if isolating(rendering, target, "Ingress") and not sources & {"monitoring", "*"}:
            yield Violation(
                str(target),
                f"is scraped, and no network policy lets the namespace monitoring in on port {scraped}",
                "no metric arrives, and alerts on them stay silent",
                f"open ingress from namespace monitoring on port {scraped}",
            )


def _scrapes(rendering: Rendering) -> Iterator[tuple[Workload, int]]:
    """Each port that Prometheus is told to scrape: by annotation, ServiceMonitor or PodMonitor."""
    for workload in workloads(rendering):
        annotated = str(workload.annotations.get("prometheus.io/port", ""))
        if str(workload.annotations.get("prometheus.io/scrape", "")).lower() == "true" and annotated.isdecimal():
            yield workload, int(annotated)
        for monitor in rendering.of("PodMonitor", namespace=workload.namespace):
            for endpoint in items(monitor.spec, "podMetricsEndpoints"):
                listens = workload.port(text(endpoint, "port"))
                if matches(dig(monitor.spec, "selector"), workload.labels) and listens:
                    yield workload, listens
    for monitor in rendering.of("ServiceMonitor"):
        wanted = {text(endpoint, "port") for endpoint in items(monitor.spec, "endpoints")}
        for service in rendering.of("Service", namespace=monitor.namespace):
            for each in items(service.spec, "ports") if matches(dig(monitor.spec, "selector"), service.labels) else []:
                for target in selected(rendering, service) if text(each, "name") in wanted else []:
                    yield target, target.port(target_port(each)) or 0


def route_hosts(rendering: Rendering) -> set[str]:
    """The host names under which the doors of a rendering are reached."""
    ingress = {text(rule, "host") for each in rendering.of("Ingress") for rule in items(each.spec, "rules")}
    return (
        ingress | {str(host) for each in rendering.of("HTTPRoute") for host in dig(each.spec, "hostnames") or []}
    ) - {""}
