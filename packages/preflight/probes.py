"""Rules: probes that ask the wrong thing, the wrong place, or give no second chance."""

import re
from collections.abc import Iterator
from typing import Any

from packages.preflight.objects import Rendering, dig, mapping, number, text, texts
from packages.preflight.ours import Process, processes
from packages.preflight.pods import Container, Workload, selected, workloads
from packages.preflight.violation import Violation

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
PATIENCE_SECONDS = 10
"""A live process may be silent this long: a collected garbage, a throttled CPU, a node under pressure."""


def _each(rendering: Rendering) -> Iterator[tuple[Workload, Container, str, dict[str, Any]]]:
    for workload in workloads(rendering):
        for container in workload.containers:
            for kind in PROBES:
                probe = mapping(container.data, kind)
                if probe:
                    yield workload, container, kind, probe


def patience(rendering: Rendering) -> Iterator[Violation]:
    """Liveness that kills at the first miss, or after a few seconds; a probe that outlives its own period."""
    for workload, container, kind, probe in _each(rendering):
        threshold, period = number(probe, "failureThreshold", default=3), number(probe, "periodSeconds", default=10)
        timeout = number(probe, "timeoutSeconds", default=1)
        where = f"{kind} of container {container.name}"
        if kind == "livenessProbe" and threshold <= 1:
            yield Violation(
                str(workload),
                f"{where} has failureThreshold {threshold}",
                "one lost packet restarts the container: no second chance",
                "set failureThreshold: 3",
            )
        elif kind == "livenessProbe" and threshold * period < PATIENCE_SECONDS:
            yield Violation(
                str(workload),
                f"{where} gives up after {threshold * period} s",
                "a short stall under load becomes a restart, which adds load",
                "ask less often: periodSeconds: 20, failureThreshold: 3",
            )
        if kind == "livenessProbe" and period < 3:
            yield Violation(
                str(workload),
                f"{where} has periodSeconds {period}",
                "the probes become load of their own",
                "set periodSeconds: 20",
            )
        if timeout > period:
            yield Violation(
                str(workload),
                f"{where} has timeoutSeconds {timeout} above periodSeconds {period}",
                "a slow answer overlaps the next question",
                "set timeoutSeconds below periodSeconds",
            )


def probe_ports(rendering: Rendering) -> Iterator[Violation]:
    """A probe of a port that the container does not declare."""
    for workload, container, kind, probe in _each(rendering):
        for handler in ("httpGet", "tcpSocket", "grpc"):
            port = dig(probe, handler, "port")
            declared = [each.get(key) for each in container.ports for key in ("containerPort", "name")]
            if port is not None and (declared or isinstance(port, str)) and port not in declared:
                have = ", ".join(str(each) for each in declared if each) or "none"
                yield Violation(
                    str(workload),
                    f"{kind} of container {container.name} asks port {port}",
                    f"nobody listens there (declared: {have}): it always fails",
                    "ask a port that the container declares",
                )


def dependencies(rendering: Rendering) -> Iterator[Violation]:
    """Liveness that asks a dependency: its outage would restart every pod, and mend nothing."""
    for workload, container, kind, probe in _each(rendering):
        path = text(probe, "httpGet", "path")
        readiness = text(container.data, "readinessProbe", "httpGet", "path")
        if kind == "livenessProbe" and path and (path == readiness or "ready" in path.lower()):
            yield Violation(
                str(workload),
                f"livenessProbe of container {container.name} asks {path}, the readiness path",
                "a dependency's outage restarts every pod at once, and mends nothing",
                "ask the path that touches no dependency: /health/live",
            )
        other = _asks(rendering, workload, probe)
        if kind == "livenessProbe" and other:
            yield Violation(
                str(workload),
                f"livenessProbe of container {container.name} asks {other}, another workload's",
                "a dependency's outage restarts every pod at once, and mends nothing",
                "ask the container itself; a dependency is readiness' question",
            )


def _asks(rendering: Rendering, workload: Workload, probe: dict[str, Any]) -> str | None:
    """The Service of others that a probe connects to."""
    asked = {text(probe, handler, "host") for handler in ("httpGet", "tcpSocket")}
    command = " ".join(texts(probe, "exec", "command"))
    for service in rendering.of("Service", namespace=workload.namespace):
        # As a host of its own: after a blank, @ or //, before a port, a path or the end.
        host = re.search(
            rf"(?:(?:-h|--host|--url)[ =]|@|//|\bnc (?:-\S+ )*){re.escape(service.name)}(?![\w-])", command
        )
        if (service.name in asked or host) and workload not in selected(rendering, service):
            return str(service)
    return None


def readiness(rendering: Rendering) -> Iterator[Violation]:
    """A pod behind a Service that is sent requests before it says it is ready."""
    behind = {
        id(workload.template): workload
        for service in rendering.of("Service")
        for workload in selected(rendering, service)
    }
    for workload in behind.values():
        for container in workload.main_containers:
            if container.ports and not mapping(container.data, "readinessProbe"):
                yield Violation(
                    str(workload),
                    f"container {container.name} has no readinessProbe",
                    "requests arrive before it listens, and while its dependency is away",
                    "add one, for our services httpGet /health/ready",
                )


def liveness(rendering: Rendering) -> Iterator[Violation]:
    """One of our servers that nobody restarts when it hangs, or that is killed while it starts."""
    for process in processes(rendering):
        if not process.is_server:
            continue
        if not mapping(process.container.data, "livenessProbe"):
            yield Violation(
                str(process),
                f"container {process.container.name} has no livenessProbe",
                "a hung process stays for ever",
                "add httpGet /health/live",
            )
        startup = mapping(process.container.data, "startupProbe")
        budget = number(startup, "periodSeconds", default=10) * number(startup, "failureThreshold", default=3)
        if startup and budget < PATIENCE_SECONDS * 2:
            yield Violation(
                str(process),
                f"startupProbe of container {process.container.name} gives up after {budget} s",
                "on a busy node it is killed while it starts",
                "set periodSeconds: 5, failureThreshold: 12",
            )
        deadline = number(process.workload.manifest.spec, "progressDeadlineSeconds", default=600)
        if deadline <= budget:
            yield Violation(
                str(process),
                f"progressDeadlineSeconds {deadline} is within the startup probe's {budget} s",
                "a rollout is called failed that would have started",
                "set progressDeadlineSeconds: 300",
            )


def served_paths(rendering: Rendering) -> Iterator[Violation]:
    """A probe or scrape path that the service does not serve, or that another probe is for."""
    for process in processes(rendering):
        if not process.is_server:
            continue
        views = process.views()
        for kind in PROBES:
            yield from _probe_path(process, kind, views)
        if str(process.workload.annotations.get("prometheus.io/scrape", "")).lower() == "true":
            yield from _scrape(process, views)


def _probe_path(process: Process, kind: str, views: dict[str, str]) -> Iterator[Violation]:
    request = mapping(process.container.data, kind, "httpGet")
    path = text(request, "path").split("?")[0]
    right = "/health/ready" if kind == "readinessProbe" else "/health/live"
    where = f"{kind} of container {process.container.name}"
    if request and path not in views:
        yield Violation(
            str(process),
            f"{where} asks {path}, which {process.service.name} does not serve",
            "it answers 404: the probe always fails",
            f"ask {right}",
        )
    elif request and kind == "readinessProbe" and views[path] != "ready":
        yield Violation(
            str(process),
            f"{where} asks {path}, which says nothing of readiness",
            "requests arrive while a dependency is away, and while the pod drains",
            f"ask {right}",
        )
    elif request and kind == "startupProbe" and views[path] == "ready":
        yield Violation(
            str(process),
            f"{where} asks {path}, the readiness path",
            "a dependency's outage kills pods that start",
            f"ask {right}",
        )
    if text(request, "scheme").upper() == "HTTPS":
        yield Violation(
            str(process),
            f"{where} asks over HTTPS",
            f"{process.service.name} speaks plain HTTP: it always fails",
            "leave out scheme",
        )


def _scrape(process: Process, views: dict[str, str]) -> Iterator[Violation]:
    annotations = process.workload.annotations
    path, port = (
        str(annotations.get("prometheus.io/path", "/metrics")),
        str(annotations.get("prometheus.io/port", process.port)),
    )
    if path not in views:
        yield Violation(
            str(process),
            f"annotation prometheus.io/path is {path}, which {process.service.name} does not serve",
            "no metric arrives",
            "write /metrics",
        )
    if port != str(process.port):
        yield Violation(
            str(process),
            f"annotation prometheus.io/port is {port}, {process.service.name} listens on {process.port}",
            "no metric arrives",
            f'write "{process.port}"',
        )
