"""Connections that follow from settings, routes and scrapes."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packages.preflight.network import Outside, Peer
from packages.preflight.objects import Manifest, dig, items, mapping, matches, number, text
from packages.preflight.pods import Workload
from packages.preflight.rendering import Rendering
from packages.preflight.services import Environment

DEFAULT_PORTS = {
    "amqp": 5672, "grpc": 0, "http": 80, "https": 443, "mongodb": 27017, "mysql": 3306, "nats": 4222, "postgres": 5432,
    "postgresql": 5432, "redis": 6379, "redis+cluster": 6379, "redis+sentinel": 26379, "rediss": 6379,
    "rediss+cluster": 6379, "rediss+sentinel": 26379, "tcp": 0,
}  # fmt: skip
"""Schemes whose authority is a host name (that of s3:// is a bucket), and the port they mean; 0: none."""

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+]{0,30})://(?:[^/@\s]{0,500}@)?(?P<hosts>[^/\s?#]+)")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")
_PORT = re.compile(r":(\d{1,5})$")
_TOP_LEVEL = {"ai", "app", "cloud", "com", "dev", "eu", "internal", "io", "local", "net", "org"}
_LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104 - compared, not bound


@dataclass(frozen=True, order=True)
class Address:
    """A host and port in a setting."""

    setting: str
    host: str
    port: int


def addresses(variables: Environment) -> Iterator[Address]:
    """Every address in a container's environment: URLs, and NAME_HOST with its NAME_PORT."""
    for name, value in variables.items():
        urls = [url for url in _URL.finditer(value or "") if url["scheme"] in DEFAULT_PORTS]
        for url in urls:
            for each in filter(None, url["hosts"].split(",")):
                port = _PORT.search(each)
                host = each[: port.start()] if port else each
                yield Address(name, host, int(port[1]) if port else DEFAULT_PORTS[url["scheme"]])
        if not urls and name.endswith("_HOST") and value and _HOST.fullmatch(value):
            number_ = variables.get(name.removesuffix("HOST") + "PORT") or ""
            yield Address(name, value, int(number_) if number_.isdecimal() else 0)


@dataclass(frozen=True)
class Target:
    """The Service of a name within the cluster."""

    namespace: str
    service: Manifest | None
    is_here: bool
    """Whether the objects of its namespace are in the rendering."""
    ordinal: int | None = None
    """The number of the StatefulSet's pod, for a name such as redis-0.redis."""


def target(rendering: Rendering, host: str, namespace: str) -> Target | None:
    """The Service of a host name; None for a name outside the cluster."""
    host = re.sub(r"\.svc(\.cluster\.local)?\.?$", "", host)
    labels = host.split(".")
    if host in _LOCAL or host.replace(".", "").isdigit() or len(labels) > 3:
        return None
    if pod := re.search(r"-(\d{1,5})$", labels[0]):
        home = labels[2] if len(labels) == 3 else namespace
        if len(labels) > 1 and (governing := rendering.find("Service", labels[1], home)):
            return Target(home, governing, True, int(pod[1]))
    if len(labels) == 1:
        return Target(namespace, rendering.find("Service", host, namespace), True)
    if len(labels) == 2 and labels[1] not in _TOP_LEVEL:
        is_here = bool(rendering.of("Service", namespace=labels[1]) or rendering.find("Namespace", labels[1]))
        return Target(labels[1], rendering.find("Service", labels[0], labels[1]), is_here)
    return None


def connections(rendering: Rendering) -> Iterator[tuple[Workload, Address, Target]]:
    """Each address within the cluster in a workload's settings."""
    called: dict[Workload, set[Address]] = defaultdict(set)
    for process in rendering.servers:
        for setting in process.service.tables:
            called[process.workload] |= set(addresses({setting: " ".join(process.started().calls)}))
    for workload in rendering.workloads:
        seen = {address for container in workload.containers for address in addresses(rendering.environment(container))}
        known = {(address.host, address.port) for address in seen}
        seen |= {address for address in called[workload] if (address.host, address.port) not in known}
        for address in sorted(seen):
            if found := target(rendering, address.host, workload.namespace):
                yield workload, address, found


def _behind(rendering: Rendering, service: Manifest | None, *wanted: Any) -> Iterator[tuple[Workload, int]]:
    """Each pod's port behind the Service's ports with one of these numbers or names; 0 means all."""
    for port in items(service and service.spec, "ports"):
        if service and any(each in wanted for each in (0, port.get("port"), port.get("name"))):
            for workload in rendering.behind(service):
                yield workload, workload.port(target_port(port)) or number(port, "port", default=0)


def implied(rendering: Rendering) -> Iterator[tuple[Workload, Peer, int, str]]:
    """Each connection that settings imply: from, to, the port of the pod, the setting."""
    for workload, address, found in connections(rendering):
        if not found.is_here:
            yield workload, Outside(found.namespace), address.port, address.setting
        for peer, port in _behind(rendering, found.service, address.port):
            yield workload, peer, port, address.setting


def target_port(port: dict[str, Any]) -> Any:
    """The target of a Service's port: `targetPort`, or the port itself."""
    return port.get("targetPort", port.get("port"))


def backends(route: Manifest) -> Iterator[tuple[str, Any]]:
    """Name and port of each Service, in its own namespace, that an Ingress or a route leads to."""
    if route.kind == "Ingress":
        paths = [path for rule in items(route.spec, "rules") for path in items(rule, "http", "paths")]
        for backend in (*(dig(path, "backend") for path in paths), dig(route.spec, "defaultBackend")):
            if service := mapping(backend, "service"):
                yield text(service, "name"), dig(service, "port", "number") or dig(service, "port", "name")
    for rule in items(route.spec, "rules"):
        for backend in items(rule, "backendRefs"):
            if text(backend, "kind") in {"", "Service"} and text(backend, "namespace") in {"", route.namespace}:
                yield text(backend, "name"), backend.get("port")


def routed(rendering: Rendering) -> Iterator[tuple[Manifest, Workload, int]]:
    """Each pod's port that an Ingress or a route leads to."""
    for route in rendering.of("Ingress", "HTTPRoute", "GRPCRoute"):
        for name, port in backends(route):
            for workload, number_ in _behind(rendering, rendering.find("Service", name, route.namespace), port):
                yield route, workload, number_


def scraped(rendering: Rendering) -> Iterator[tuple[Workload, int]]:
    """Each pod's port that Prometheus scrapes: by annotation, ServiceMonitor or PodMonitor."""
    for workload in rendering.workloads:
        annotated = str(workload.annotations.get("prometheus.io/port", ""))
        if str(workload.annotations.get("prometheus.io/scrape", "")).lower() == "true" and annotated.isdecimal():
            yield workload, int(annotated)
    for monitor in rendering.of("PodMonitor"):
        for endpoint in items(monitor.spec, "podMetricsEndpoints"):
            for workload in rendering.pods(monitor.namespace, dig(monitor.spec, "selector")):
                yield workload, workload.port(text(endpoint, "port")) or 0
    for monitor in rendering.of("ServiceMonitor"):
        wanted = {text(endpoint, "port") for endpoint in items(monitor.spec, "endpoints")}
        for service in rendering.of("Service", namespace=monitor.namespace):
            if matches(dig(monitor.spec, "selector"), service.labels):
                yield from _behind(rendering, service, *wanted)
