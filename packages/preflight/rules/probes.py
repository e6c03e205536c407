"""Ports without a listener; probes with a wrong port or path, or too short time-outs."""

import re
from typing import Any

from packages.preflight.edges import target_port
from packages.preflight.objects import Manifest, dig, items, mapping, number, text, texts
from packages.preflight.pods import Container
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering
from packages.preflight.services import Process

PATIENCE_SECONDS = 10
"""A live process may stall so long: garbage collection, a throttled CPU, a node under pressure."""
_TOOLS = {"sh", "bash", "/bin/sh", "/bin/bash", "sleep", "/bin/sleep", "curl", "wget", "nc", "kill"}
_HOST = re.compile(r"(?:(?:-h|--host|--url)[ =]|@|//|\bnc (?:-\S{1,20} ){0,9})([a-z0-9][a-z0-9-]{0,62})(?![\w-])")


@rule("M200", "Service", why="connections are refused: 502 for every client")
def service_to_a_port_that_no_container_declares(rendering: Rendering, service: Manifest) -> Hits:
    for wanted in map(target_port, items(service.spec, "ports")):
        for workload in rendering.behind(service):
            # A process may listen on a port that it does not declare; a port's name has to be declared.
            is_certain = isinstance(wanted, str) or all(each.ports for each in workload.running)
            if is_certain and workload.port(wanted) is None:
                cure = f"use a port that its containers declare: {workload.port_names}"
                yield Hit(f"targetPort {wanted} is not open in {workload}", cure)


@rule("M201", "servers", why="probes and Services find no listener there")
def container_port_that_our_service_does_not_use(_: Rendering, process: Process) -> Hits:
    declared = [port.get("containerPort") for port in process.container.ports]
    if declared and process.port not in declared:
        what = f"declares port {', '.join(map(str, declared))}, {process.service.name} listens on {process.port}"
        yield Hit(what, f"set containerPort (or the setting PORT) to {process.port}")


@rule("M250", "containers", why="a short stall under load restarts the container", cure="set failureThreshold: 3")
def liveness_without_a_second_chance(_: Rendering, container: Container) -> Hits:
    probe = mapping(container.data, "livenessProbe")
    threshold, period = number(probe, "failureThreshold", default=3), number(probe, "periodSeconds", default=10)
    if probe and threshold <= 1:
        why = "one lost packet restarts it: no second chance"
        yield Hit(f"livenessProbe has failureThreshold {threshold}", why=why)
    elif probe and threshold * period < PATIENCE_SECONDS:
        yield Hit(f"livenessProbe gives up after {threshold * period} s", "set periodSeconds: 20", is_certain=False)
    if probe and period < 3:
        cure, why = "set periodSeconds: 20", "the probes become a load of their own"
        yield Hit(f"livenessProbe has periodSeconds {period}", cure, why, is_certain=False)


@rule("M251", "containers", cure="use a port that the container declares")
def probe_of_a_port_that_is_not_declared(_: Rendering, container: Container) -> Hits:
    declared = [each.get(key) for each in container.ports for key in ("containerPort", "name")]
    for kind, probe in container.probes():
        for wanted in (dig(probe, handler, "port") for handler in ("httpGet", "tcpSocket", "grpc")):
            if wanted is not None and wanted not in declared and (declared or isinstance(wanted, str)):
                have = ", ".join(str(each) for each in declared if each) or "none"
                why = f"the container declares {have}: it always fails"
                yield Hit(f"{kind} uses port {wanted}", why=why, is_certain=isinstance(wanted, str))


@rule("M252", "containers", why="an outage of the dependency restarts every pod at once and fixes nothing",
      cure="probe the container alone (/health/live); a dependency belongs to readiness")  # fmt: skip
def liveness_that_depends_on_another_workload(rendering: Rendering, container: Container) -> Hits:
    probe = mapping(container.data, "livenessProbe")
    path, readiness = text(probe, "httpGet", "path"), text(container.data, "readinessProbe", "httpGet", "path")
    if path and (path == readiness or "ready" in path.lower()):
        # Services of others often use one path for both.
        yield Hit(f"livenessProbe requests {path}, the readiness path", is_certain="ready" in path.lower())
    hosts = {text(probe, handler, "host") for handler in ("httpGet", "tcpSocket")}
    for host in sorted(hosts | set(_HOST.findall(" ".join(texts(probe, "exec", "command"))))):
        service = rendering.find("Service", host, container.namespace)
        if service and container.workload not in rendering.behind(service):
            yield f"livenessProbe contacts {service}, another workload"


@rule("M253", "servers")
def server_of_ours_without_probes_or_killed_while_it_starts(_: Rendering, process: Process) -> Hits:
    service, data = process.service, process.container.data
    if not mapping(data, "livenessProbe"):
        cure = f"add httpGet {service.path_for('live')}"
        yield Hit("has no livenessProbe", cure, "a process that hangs is never restarted")
    if not mapping(data, "readinessProbe"):
        why = "requests arrive before it listens, and while its dependency is away"
        yield Hit("has no readinessProbe", f"add httpGet {service.path_for('ready')}", why)
    startup = mapping(data, "startupProbe")
    budget = number(startup, "periodSeconds", default=10) * number(startup, "failureThreshold", default=3)
    if startup and budget < PATIENCE_SECONDS * 2:
        cure, why = "set periodSeconds: 5, failureThreshold: 12", "a busy node starts it more slowly"
        yield Hit(f"startupProbe gives up after {budget} s", cure, why)
    deadline = number(process.workload.manifest.spec, "progressDeadlineSeconds", default=600)
    if deadline <= budget:
        what = f"progressDeadlineSeconds {deadline} is within the startup probe's {budget} s"
        yield Hit(what, "set progressDeadlineSeconds: 300", "a rollout fails that would have started")


@rule("M254", "servers")
def probe_path_that_our_service_does_not_serve(_: Rendering, process: Process) -> Hits:
    for kind, request in ((kind, mapping(probe, "httpGet")) for kind, probe in process.container.probes()):
        path, purpose = text(request, "path"), process.service.paths.get(text(request, "path").split("?")[0])
        cure = f"request {process.service.path_for('ready' if kind == 'readinessProbe' else 'live')}"
        if request and purpose is None:
            yield Hit(
                f"{kind} requests {path}, which {process.service.name} does not serve", cure, "404: it always fails"
            )
        elif request and kind == "readinessProbe" and purpose != "ready":
            why = "requests arrive while a dependency is away, and while the pod drains"
            yield Hit(f"{kind} requests {path}, which does not show readiness", cure, why)
        elif request and kind == "startupProbe" and purpose == "ready":
            yield Hit(
                f"{kind} requests {path}, the readiness path", cure, "an outage of a dependency kills pods that start"
            )
        if text(request, "scheme").upper() == "HTTPS":
            yield Hit(f"{kind} uses HTTPS", "leave out scheme", f"{process.service.name} speaks plain HTTP")


@rule("M255", "servers", why="no metric arrives")
def scrape_annotation_that_does_not_fit_our_service(_: Rendering, process: Process) -> Hits:
    annotations, right = process.workload.annotations, process.service.path_for("metrics")
    path = str(annotations.get("prometheus.io/path", right))
    port = str(annotations.get("prometheus.io/port", process.port))
    if str(annotations.get("prometheus.io/scrape", "")).lower() != "true":
        return
    if process.service.paths.get(path) != "metrics":
        yield Hit(
            f"annotation prometheus.io/path is {path}, which {process.service.name} does not serve", f"write {right}"
        )
    if port != str(process.port):
        what = f"annotation prometheus.io/port is {port}, {process.service.name} listens on {process.port}"
        yield Hit(what, f'write "{process.port}"')


@rule("M256", "processes", why="the image has no shell: it always fails", cure="use httpGet, preStop.sleep, or python")
def program_that_our_image_does_not_have(_: Rendering, process: Process) -> Hits:
    places: dict[str, Any] = {kind: mapping(probe, "exec") for kind, probe in process.container.probes()}
    places["preStop"] = mapping(process.container.data, "lifecycle", "preStop", "exec")
    places["command"] = process.container.data
    for place, data in places.items():
        program = (texts(data, "command") or [""])[0]
        if program in _TOOLS:
            yield f"{place} of container {process.container.name} runs {program}"
