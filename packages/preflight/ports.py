"""Rules: ports that nobody listens on."""

from collections.abc import Iterator
from typing import Any

from packages.preflight.objects import Manifest, Rendering, dig, items, mapping, text
from packages.preflight.ours import processes
from packages.preflight.pods import Workload, selected, workloads
from packages.preflight.violation import Violation


def target_port(port: dict[str, Any]) -> Any:
    """Where a Service's port leads: `targetPort`, or the port itself."""
    return port.get("targetPort", port.get("port"))


def target_ports(rendering: Rendering) -> Iterator[Violation]:
    """A Service's targetPort that no container of its pods declares."""
    for service in rendering.of("Service"):
        for port in items(service.spec, "ports"):
            for workload in selected(rendering, service):
                if workload.declares_ports and workload.port(target_port(port)) is None:
                    yield Violation(
                        str(service),
                        f"targetPort {target_port(port)} is not open in {workload}",
                        "connections are refused: 502 for every client",
                        f"send to a port that its containers declare: {_declared(workload)}",
                    )


def _declared(workload: Workload) -> str:
    return ", ".join(
        f"{text(port, 'name')} {text(port, 'containerPort')}".strip()
        for container in workload.main_containers
        for port in container.ports
    )


def own_port(rendering: Rendering) -> Iterator[Violation]:
    """A container port of ours where our service does not listen."""
    for process in processes(rendering):
        if process.is_server and process.container.ports:
            declared = [port.get("containerPort") for port in process.container.ports]
            if process.port not in declared:
                yield Violation(
                    str(process),
                    f"container {process.container.name} declares port {', '.join(map(str, declared))}, "
                    f"{process.service.name} listens on {process.port}",
                    "probes and Services find nobody there",
                    f"set containerPort (or the setting PORT) to {process.port}",
                )


def port_names(rendering: Rendering) -> Iterator[Violation]:
    """Port names or numbers used twice in a pod or Service; names that a Service of several ports must have."""
    for workload in workloads(rendering):
        ports = [port for container in workload.containers for port in container.ports]
        names = [text(port, "name") for port in ports if text(port, "name")]
        if len(names) != len(set(names)):
            yield Violation(
                str(workload),
                f"a port name is there twice ({', '.join(sorted(names))})",
                "whoever asks for the name gets either",
                "name each port once",
            )
    for service in rendering.of("Service"):
        ports = items(service.spec, "ports")
        names = [text(port, "name") for port in ports]
        if len(ports) > 1 and len(set(names) - {""}) != len(ports):
            yield Violation(
                str(service),
                "has several ports without a name of their own",
                "the API server refuses it",
                "name each port once",
            )


def backends(rendering: Rendering) -> Iterator[Violation]:
    """An Ingress or HTTPRoute that leads to a Service or a port that is not there."""
    for route in rendering.of("Ingress", "HTTPRoute", "GRPCRoute"):
        for name, port in ingress_backends(route) if route.kind == "Ingress" else route_backends(route):
            service = rendering.find("Service", name, route.namespace)
            if service is None:
                yield Violation(
                    str(route),
                    f"its backend Service {name!r} is not there",
                    "the door answers 503 (500 at some)",
                    f"name one of {_services(rendering, route)}",
                )
            elif not any(port in (each.get("port"), each.get("name")) for each in items(service.spec, "ports")):
                have = ", ".join(f"{text(each, 'name')} {text(each, 'port')}" for each in items(service.spec, "ports"))
                yield Violation(
                    str(route),
                    f"its backend {name} has no port {port}",
                    "the door answers 503 (500 at some)",
                    f"use a port that it has: {have}",
                )


def _services(rendering: Rendering, manifest: Manifest) -> str:
    return (
        ", ".join(sorted(each.name for each in rendering.of("Service", namespace=manifest.namespace)))
        or "the Services of its namespace: there are none"
    )


def ingress_backends(ingress: Manifest) -> Iterator[tuple[str, Any]]:
    """Service name and port of each backend of an Ingress."""
    found = [dig(path, "backend") for rule in items(ingress.spec, "rules") for path in items(rule, "http", "paths")]
    for backend in (*found, dig(ingress.spec, "defaultBackend")):
        service = mapping(backend, "service")
        if service:
            yield text(service, "name"), dig(service, "port", "number") or dig(service, "port", "name")


def route_backends(route: Manifest) -> Iterator[tuple[str, Any]]:
    """Service name and port of each backend of a route in the route's own namespace."""
    for rule in items(route.spec, "rules"):
        for backend in items(rule, "backendRefs"):
            if text(backend, "kind") in {"", "Service"} and text(backend, "namespace") in {"", route.namespace}:
                yield text(backend, "name"), backend.get("port")
