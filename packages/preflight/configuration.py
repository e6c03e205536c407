"""Rules: settings that our services do not know, do not get, or refuse."""

from collections.abc import Iterator
from difflib import get_close_matches

from packages.preflight.edges import route_hosts
from packages.preflight.objects import Rendering, items, mapping, text
from packages.preflight.ours import Process, processes
from packages.preflight.violation import Violation


def unknown(rendering: Rendering) -> Iterator[Violation]:
    """A setting that the service never reads: a misspelt name, or one that left."""
    for process in processes(rendering):
        for name, where in _written(rendering, process):
            if not process.service.knows(name):
                close = get_close_matches(name, sorted(process.service.settings), n=1)
                yield Violation(
                    where,
                    f"setting {name} is unknown to {process.service.name}",
                    "it has no effect, and what was meant keeps its default",
                    f"write {close[0]}" if close else "remove it",
                )


def _written(rendering: Rendering, process: Process) -> Iterator[tuple[str, str]]:
    """Each setting that somebody wrote down, and the object where."""
    for source in items(process.container.data, "envFrom"):
        config = rendering.find("ConfigMap", text(source, "configMapRef", "name"), process.workload.namespace)
        if config is not None:
            yield from ((text(source, "prefix") + str(name), str(config)) for name in mapping(config.data, "data"))
    for variable in items(process.container.data, "env"):
        if "fieldRef" not in mapping(variable, "valueFrom"):
            yield text(variable, "name"), str(process)


def refused(rendering: Rendering) -> Iterator[Violation]:
    """A setting that is missing or malformed: asked of the service's own settings, under the pod's environment."""
    for process in processes(rendering):
        error = process.started().error
        if error:
            what, _, cure = error.partition(": ")
            yield Violation(
                str(process),
                f"container {process.container.name}: {what}",
                f"{process.service.name} stops at start: CrashLoopBackOff",
                cure or "correct the setting",
            )


def hosts(rendering: Rendering) -> Iterator[Violation]:
    """A public name that the gateway refuses; a gateway that takes every name."""
    names = route_hosts(rendering)
    for process in processes(rendering):
        if not process.is_server:
            continue
        allowed = process.started().allowed_hosts
        if "*" in allowed:
            yield Violation(
                str(process),
                "ALLOWED_HOSTS holds *",
                "links are made of whatever Host a client sends",
                "list the names that clients use",
            )
        for name in sorted(names) if process.service.name == "api-gateway" and allowed else []:
            if not any(
                name == each or (each.startswith(".") and name.endswith(each)) or each == "*" for each in allowed
            ):
                yield Violation(
                    str(process),
                    f"ALLOWED_HOSTS lacks {name}, under which a route reaches it",
                    "every request through the door is 400",
                    f"add {name} to ALLOWED_HOSTS",
                )


def debug(rendering: Rendering) -> Iterator[Violation]:
    """DEBUG where real users are."""
    for process in processes(rendering):
        if process.is_debug and "prod" in process.workload.namespace:
            yield Violation(
                str(process),
                f"DEBUG is true in {process.workload.namespace}",
                "it shows its inner workings to every visitor",
                "set DEBUG=false",
            )


def timeouts(rendering: Rendering) -> Iterator[Violation]:
    """Time-outs that cannot hold: whoever is nearer to the client must wait longer."""
    found = {process.service.name: process.environment for process in processes(rendering) if process.is_server}
    upstream = (
        found.get("api-gateway", {}).get("UPSTREAM_TIMEOUT_MS") or "5000",
        found.get("user-service", {}).get("REDIS_TIMEOUT_MS") or "1000",
    )
    if len(found) == 2 and all(value.isdecimal() for value in upstream) and int(upstream[0]) <= int(upstream[1]):
        yield Violation(
            "Deployment/api-gateway",
            f"UPSTREAM_TIMEOUT_MS {upstream[0]} is not above the user service's REDIS_TIMEOUT_MS {upstream[1]}",
            "a slow Redis is a 504 of the gateway, and the user service's 503 is never heard",
            "raise UPSTREAM_TIMEOUT_MS",
        )
    for route in rendering.of("HTTPRoute"):
        for rule in items(route.spec, "rules"):
            written = text(rule, "timeouts", "request")
            seconds = float(written[:-1]) if written.endswith("s") and written[:-1].isdigit() else None
            if seconds is not None and upstream[0].isdecimal() and seconds * 1000 <= int(upstream[0]):
                yield Violation(
                    str(route),
                    f"its request timeout {written} is not above UPSTREAM_TIMEOUT_MS {upstream[0]}",
                    "the door answers before the gateway says what went wrong",
                    "raise timeouts.request",
                )
