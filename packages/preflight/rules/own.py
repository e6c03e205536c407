"""Settings that our services do not read, or refuse; shutdowns that are cut short; metrics that do not exist."""

import re
from collections.abc import Iterator
from difflib import get_close_matches

from packages.preflight.edges import backends, implied
from packages.preflight.objects import Manifest, items, mapping, text, texts
from packages.preflight.pods import Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering
from packages.preflight.services import Process

UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile(r"([0-9]{1,5})(h|ms|m|s)")

ENDPOINT_SECONDS = 5
"""Time until every node and proxy stops sending requests to a stopping pod."""


@rule("M700", "processes", why="it has no effect, and the setting that was meant keeps its default")
def setting_that_our_service_does_not_read(rendering: Rendering, process: Process) -> Hits:
    written: list[tuple[str, Manifest | None]] = []
    for source in items(process.container.data, "envFrom"):
        config = rendering.find("ConfigMap", text(source, "configMapRef", "name"), process.namespace)
        written += [(text(source, "prefix") + str(key), config) for key in mapping(config and config.data, "data")]
    for variable in items(process.container.data, "env"):
        if "fieldRef" not in mapping(variable, "valueFrom"):
            written.append((text(variable, "name"), None))
    for name, config in written:
        if not process.service.reads(name):
            close = get_close_matches(name, sorted(process.service.settings), n=1)
            what = f"setting {name} is unknown to {process.service.name}"
            yield Hit(what, f"write {close[0]}" if close else "remove it", on=config)


@rule("M701", "processes", cure="correct the setting")
def setting_that_our_service_refuses(_: Rendering, process: Process) -> Hits:
    if error := process.started().error:
        what, _colon, cure = error.rpartition(": ")
        yield Hit(what or error, cure if what else "", f"{process.service.name} stops at start: CrashLoopBackOff")


@rule("M702", "servers")
def host_name_that_our_service_refuses(rendering: Rendering, process: Process) -> Hits:
    allowed = process.started().allowed_hosts
    if "*" in allowed:
        why = "links are made of any Host that a client sends"
        yield Hit("ALLOWED_HOSTS holds *", "list the names that clients use", why)
    for name in sorted(_hosts(rendering, process)) if process.service.is_door and allowed else []:
        if not any(each in {name, "*"} or (each.startswith(".") and name.endswith(each)) for each in allowed):
            what = f"ALLOWED_HOSTS lacks {name}, the host name of a route to it"
            yield Hit(what, f"add {name} to ALLOWED_HOSTS", "every request through the door is 400")


def _hosts(rendering: Rendering, process: Process) -> set[str]:
    """The host names of the routes to it."""
    ours, found = _services(rendering, process), set()
    for route in rendering.of("HTTPRoute", namespace=process.namespace):
        if ours & {name for name, _ in backends(route)}:
            found.update(texts(route.spec, "hostnames"))
    for ingress in rendering.of("Ingress", namespace=process.namespace):
        default = text(ingress.spec, "defaultBackend", "service", "name")
        for each in items(ingress.spec, "rules"):
            if ours & (
                {text(path, "backend", "service", "name") for path in items(each, "http", "paths")} or {default}
            ):
                found.add(text(each, "host"))
    return found - {""}


def _services(rendering: Rendering, process: Process) -> set[str]:
    return {service.name for service in rendering.services_of(process.workload)}


@rule("M703", "processes", why="it shows its internals to every visitor", cure="set DEBUG=false")
def debug_in_production(_: Rendering, process: Process) -> Hits:
    if process.is_debug and "prod" in process.namespace:
        yield f"DEBUG is true in {process.namespace}"


@rule("M704")
def timeout_that_ends_before_the_next_one_inside(rendering: Rendering) -> Hits:
    waits = {process.workload: process for process in rendering.servers if process.service.timeout[0]}
    for source, peer, *_ in implied(rendering):
        outer, inner = waits.get(source), waits.get(peer) if isinstance(peer, Workload) else None
        if outer and inner and outer.timeout_ms <= inner.timeout_ms:
            what = f"{outer.service.timeout[0]} {outer.timeout_ms} is not above the "
            what += f"{inner.service.timeout[0]} {inner.timeout_ms} of {inner.service.name}"
            why = f"a slow dependency is a 504, not the 503 of {inner.service.name}"
            yield Hit(what, f"raise {outer.service.timeout[0]}", why, on=outer)
    for route in rendering.of("HTTPRoute"):
        for each in items(route.spec, "rules"):
            written = text(each, "timeouts", "request")
            most = sum(int(number) * UNITS_MS[unit] for number, unit in _DURATION.findall(written))
            to = {text(backend, "name") for backend in items(each, "backendRefs")}
            for door in (process for process in waits.values() if process.service.is_door):
                if (
                    0 < most <= door.timeout_ms
                    and door.namespace == route.namespace
                    and to & _services(rendering, door)
                ):
                    what = f"its request timeout {written} is not above {door.service.timeout[0]} {door.timeout_ms}"
                    yield Hit(what, "raise timeouts.request", "clients never get the gateway's problem", on=route)


@rule("M710", "servers")
def grace_period_shorter_than_the_shutdown(rendering: Rendering, process: Process) -> Hits:
    started, pre_stop, grace = process.started(), process.container.pre_stop_seconds, process.workload.grace_seconds
    listens = pre_stop + started.drain_seconds
    needed = listens + started.grace_seconds
    if grace <= needed:
        parts = f"DRAIN_SECONDS {started.drain_seconds:g}, {started.grace_seconds:g} for requests in flight"
        what = f"terminationGracePeriodSeconds {grace} is not above {needed:g}: preStop {pre_stop:g}, {parts}"
        why = "the kubelet kills it with requests in flight: 502 at each deploy"
        yield Hit(what, f"set terminationGracePeriodSeconds: {int(needed) + 10}", why)
    if listens < ENDPOINT_SECONDS and not process.is_debug and rendering.services_of(process.workload):
        cure = f"set preStop.sleep and DRAIN_SECONDS to {ENDPOINT_SECONDS} s together or more"
        why = "nodes still send it requests: refused at each deploy"
        yield Hit(f"stops listening {listens:g} s after its pod is deleted", cure, why)


TARGET_LABELS = {
    "__name__", "job", "instance", "namespace", "pod", "service", "container", "endpoint", "node", "cluster", "le", "quantile",
}  # fmt: skip
_TEXT = re.compile(r""""(?:\\.|[^"\\]){0,500}"|'(?:\\.|[^'\\]){0,500}'|`[^`]{0,500}`|\#[^\n]*""")
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\s{0,9}\{([^{}]{0,2000})\})?")
_MATCHER = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s{0,9}[=!]")


def selectors_in(expression: str) -> dict[str, set[str]]:
    """The words of a PromQL expression, metric names among them, each with the labels that its matchers name."""
    found: dict[str, set[str]] = {}
    for name, matchers in _SELECTOR.findall(_TEXT.sub('""', expression)):
        found.setdefault(name, set()).update(_MATCHER.findall(matchers))
    return found


@rule("M720", "PrometheusRule", "ScaledObject", why="it matches nothing: the alert stays silent, the scaler still")
def metric_or_label_of_ours_that_does_not_exist(rendering: Rendering, manifest: Manifest) -> Hits:
    known = {name: labels for service in rendering.services for name, labels in service.metrics.items()}
    # Metrics in other namespaces or with other names are not ours.
    for place, expression in _expressions(manifest) if manifest.namespace in rendering.own_namespaces else []:
        for name, labels in selectors_in(expression).items():
            similar = get_close_matches(name, known, 1, 0.9)
            unknown = sorted(labels - known.get(name, frozenset(labels)) - TARGET_LABELS)
            if name not in known and similar and ":" not in name:
                yield Hit(f"{place}uses metric {name}, which neither service exposes", f"name {similar[0]}")
            elif unknown:
                has = ", ".join(sorted(known[name])) or "none"
                what = f"{place}uses label {', '.join(unknown)} of {name}, which has {has}"
                yield Hit(what, "name a label that the metric has")


def _expressions(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for group in items(manifest.spec, "groups"):
        for each in items(group, "rules"):
            yield f"{text(each, 'alert') or text(each, 'record')} ", text(each, "expr")
    for trigger in items(manifest.spec, "triggers"):
        if text(trigger, "type") == "prometheus":
            yield "", text(trigger, "metadata", "query")
