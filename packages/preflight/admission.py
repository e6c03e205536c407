"""Rules: what is well-formed to every schema, and refused by the API server all the same."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from packages.preflight.objects import Manifest, Rendering, dig, items, mapping, number, text
from packages.preflight.pods import WORKLOADS, workloads
from packages.preflight.violation import Violation

REFUSED = "the API server refuses it"

_NAMED = (
    *WORKLOADS, "ConfigMap", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PersistentVolumeClaim",
    "PodDisruptionBudget", "Secret", "Service", "ServiceAccount",
)  # fmt: skip
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(?=.{0,63}$)([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_CRON_FIELDS = (
    ("minute", range(60), ""),
    ("hour", range(24), ""),
    ("day", range(1, 32), ""),
    ("month", range(1, 13), "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"),
    ("weekday", range(7), "SUN MON TUE WED THU FRI SAT"),
)
_CRON_NAMES = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}


def names(rendering: Rendering) -> Iterator[Violation]:
    """Names and labels outside what DNS and selectors take."""
    for manifest in rendering.of(*_NAMED):
        if manifest.name and not _SUBDOMAIN.fullmatch(manifest.name):
            cure = re.sub(r"[^a-z0-9.-]+", "-", manifest.name.lower()).strip("-.") or "a name of lower-case letters"
            yield Violation(str(manifest), "its name is no DNS name", REFUSED, f"write {cure}")
    for manifest in rendering:
        labels = {**manifest.labels, **mapping(manifest.spec, "template", "metadata", "labels")}
        for key, value in labels.items():
            if isinstance(value, str) and not _LABEL_VALUE.fullmatch(value):
                cure = "use at most 63 letters, digits, - _ and ."
                yield Violation(str(manifest), f"label {key} has the value {value!r}", REFUSED, cure)


def words(rendering: Rendering) -> Iterator[Violation]:
    """Numbers, booleans and nulls where text must stand: YAML reads `8080`, `true` and `on` as those."""
    for manifest in rendering:
        for where, values in _texts(manifest):
            for key, value in values.items():
                if value is not None and not isinstance(value, str):
                    written = str(value).lower() if isinstance(value, bool) else value
                    what = f"{where} {key} is {written}, which YAML reads as no text"
                    yield Violation(str(manifest), what, REFUSED, f'write "{written}"')


def _texts(manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "label", manifest.labels
    yield "annotation", manifest.annotations
    if manifest.kind in {"ConfigMap", "Secret"}:
        yield "key", {**mapping(manifest.data, "data"), **mapping(manifest.data, "stringData")}
    for workload in workloads(Rendering([manifest])):
        yield "pod label", workload.labels
        yield "pod annotation", workload.annotations
        for container in workload.containers:
            yield "variable", {text(each, "name"): each.get("value") for each in items(container.data, "env")}


def secrets(rendering: Rendering) -> Iterator[Violation]:
    """Data of a Secret that is not base64."""
    for secret in rendering.of("Secret"):
        for key, value in mapping(secret.data, "data").items():
            try:
                base64.b64decode("".join(str(value or "").split()), validate=True)
            except (binascii.Error, ValueError):
                yield Violation(
                    str(secret), f"key {key} of data is no base64", REFUSED, "put plain text into stringData"
                )


def pods(rendering: Rendering) -> Iterator[Violation]:
    """A pod of nothing, or of two things with one name."""
    for workload in workloads(rendering):
        if not workload.main_containers:
            cure = "write spec.template.spec.containers"
            yield Violation(str(workload), "its pod has no containers", REFUSED, cure)
        for name in _twice(container.name for container in workload.containers):
            yield Violation(str(workload), f"two containers are named {name!r}", REFUSED, "name each once")
        for container in workload.containers:
            for name in _twice(text(each, "name") for each in items(container.data, "env")):
                what = f"container {container.name} sets {name} twice"
                yield Violation(str(workload), what, "the last one wins, silently", "set it once")
            for path in _twice(text(each, "mountPath") for each in items(container.data, "volumeMounts")):
                what = f"container {container.name} mounts {path} twice"
                yield Violation(str(workload), what, REFUSED, "mount one volume there")


def containers(rendering: Rendering) -> Iterator[Violation]:
    """A container, a mount, a port or a probe that lacks what it cannot be without."""
    for workload in workloads(rendering):
        for container in workload.containers:
            if not container.name:
                yield Violation(str(workload), "a container has no name", REFUSED, "name it")
            if not all(text(each, "mountPath") for each in items(container.data, "volumeMounts")):
                what = f"a mount of container {container.name} has no mountPath"
                yield Violation(str(workload), what, REFUSED, "say where")
            for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
                if kind in container.data and not _asks(mapping(container.data, kind)):
                    what = f"{kind} of container {container.name} asks nothing"
                    yield Violation(
                        str(workload), what, REFUSED, "give it httpGet, tcpSocket or grpc with a port, or exec"
                    )
            for port in container.ports:
                name = text(port, "name")
                if name and not _PORT_NAME.fullmatch(name):
                    what = f"port name {name!r} of container {container.name} is no port name"
                    yield Violation(str(workload), what, REFUSED, "use at most 15 of a-z, 0-9 and -")


def _asks(probe: dict[str, Any]) -> bool:
    handlers = ("httpGet", "tcpSocket", "grpc")
    return any(dig(probe, each, "port") for each in handlers) or bool(dig(probe, "exec", "command"))


def _twice(values: Iterable[str]) -> list[str]:
    return sorted(value for value, count in Counter(values).items() if value and count > 1)


def services(rendering: Rendering) -> Iterator[Violation]:
    """A Service without ports, or on node ports that no node gives."""
    taken: dict[int, Manifest] = {}
    for service in rendering.of("Service"):
        ports = items(service.spec, "ports")
        if not ports and text(service.spec, "type") != "ExternalName" and text(service.spec, "clusterIP") != "None":
            yield Violation(str(service), "has no ports", REFUSED, "name the port that clients ask")
        if not all(number(each, "port", default=0) for each in ports):
            yield Violation(str(service), "one of its ports has no number", REFUSED, "set port")
        for port in (number(each, "nodePort", default=0) for each in ports):
            if port and not 30000 <= port <= 32767:
                yield Violation(
                    str(service), f"nodePort {port} is out of range", REFUSED, "use 30000 to 32767, or leave it out"
                )
            other = taken.setdefault(port, service) if port else service
            if other is not service:
                cure = "leave nodePort out: the cluster finds a free one"
                yield Violation(str(service), f"nodePort {port} is {other}'s", REFUSED, cure)


def updates(rendering: Rendering) -> Iterator[Violation]:
    """Recreate that is told how to roll."""
    for deployment in rendering.of("Deployment"):
        strategy = mapping(deployment.spec, "strategy")
        if text(strategy, "type") == "Recreate" and strategy.get("rollingUpdate"):
            what = "strategy Recreate has rollingUpdate"
            yield Violation(str(deployment), what, REFUSED, "remove rollingUpdate, or write type: RollingUpdate")


def jobs(rendering: Rendering) -> Iterator[Violation]:
    """A Job whose pods never end, a CronJob whose time never comes."""
    for workload in workloads(rendering):
        policy = text(workload.spec, "restartPolicy") or "Always"
        is_job = workload.manifest.kind in {"Job", "CronJob"}
        if is_job and policy not in {"Never", "OnFailure"}:
            what = f"restartPolicy of a {workload.manifest.kind} is {policy}"
            yield Violation(str(workload), what, REFUSED, "set restartPolicy: Never or OnFailure")
        if not is_job and workload.manifest.kind != "Pod" and policy != "Always":
            what = f"restartPolicy of a {workload.manifest.kind} is {policy}"
            yield Violation(str(workload), what, REFUSED, "leave it out, or make it a Job")
    for cron in rendering.of("CronJob"):
        wrong = _cron_error(text(cron.spec, "schedule"))
        if wrong:
            cure = "write minute, hour, day, month, weekday, such as 17 3 * * *"
            yield Violation(str(cron), f"schedule {dig(cron.spec, 'schedule')!r}: {wrong}", REFUSED, cure)


def _cron_error(schedule: str) -> str | None:
    """What is wrong with a schedule, as robfig/cron reads it; None where nothing is."""
    if schedule in _CRON_NAMES or schedule.startswith("@every "):
        return None
    fields = schedule.split()
    if len(fields) != len(_CRON_FIELDS):
        return f"{len(fields)} fields, not {len(_CRON_FIELDS)}"
    for field, (name, allowed, words_) in zip(fields, _CRON_FIELDS, strict=True):
        known = {word: allowed[n] for n, word in enumerate(words_.split())}
        for part in field.split(","):
            span, _, step = part.partition("/")
            ends = [] if span in {"*", "?"} else [known.get(end.upper(), end) for end in span.split("-")]
            if not all(str(end).isdecimal() and int(end) in allowed for end in ends) or len(ends) > 2:
                return f"{part} is no {name}"
            if step and not (step.isdecimal() and int(step)):
                return f"{part} has no step"
    return None
