"""Which containers run our services, and how those are started there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from packages.preflight.environment import Environment, environment
from packages.preflight.objects import Rendering, mapping, number, text
from packages.preflight.pods import Container, Workload, workloads
from packages.preflight.services import RIGHT, SERVICES, Service, Started


@dataclass(frozen=True)
class Process:
    """A container that runs one of our services."""

    service: Service
    workload: Workload
    container: Container
    environment: Environment

    @property
    def port(self) -> int:
        """Where it listens."""
        value = self.environment.get("PORT") or ""
        return int(value) if value.isdecimal() else self.service.default_port

    @property
    def is_debug(self) -> bool:
        """Whether it runs with DEBUG."""
        return (self.environment.get("DEBUG") or "").lower() in {"true", "1", "yes", "on"}

    @property
    def is_server(self) -> bool:
        """It serves, rather than runs a management command."""
        return not self.container.is_init and self.workload.is_long_running

    def started(self) -> Started:
        """Its settings under this container's environment."""
        started = self.service.start(self.environment)
        if started.error is None:
            return started
        # How its shutdown goes can still be told, under settings that are right.
        drain = self.environment.get("DRAIN_SECONDS") or ""
        right = RIGHT | ({"DRAIN_SECONDS": drain} if drain.isdecimal() else {})
        return replace(self.service.start(right), error=started.error, allowed_hosts=())

    def views(self) -> dict[str, str]:
        """Of the paths that the manifest names: those that are served, and the name of the view that does."""
        probes = ("livenessProbe", "readinessProbe", "startupProbe")
        paths = {text(self.container.data, probe, "httpGet", "path") for probe in probes}
        paths.add(str(self.workload.annotations.get("prometheus.io/path", "/metrics")))
        return self.service.views({path.split("?")[0] for path in paths if path})

    def __str__(self) -> str:
        return str(self.workload)


def service_of(container: Container, workload: Workload) -> Service | None:
    """The service a container runs, by its image, its own name, or (where it is the only one) its workload's."""
    repository = container.image.split("@")[0].rpartition("/")[2].split(":")[0]
    names = [repository, container.name]
    if len(workload.containers) == 1:
        names.append(workload.manifest.name)
    return next((service for name in names for service in SERVICES if service.name == name), None)


def processes(rendering: Rendering) -> Iterator[Process]:
    """Every container of the rendering that runs one of our services."""
    for workload in workloads(rendering):
        for container in workload.containers:
            service = service_of(container, workload)
            if service is not None:
                yield Process(service, workload, container, environment(rendering, workload, container))


def grace_seconds(workload: Workload) -> int:
    """How long a pod may take to end; Kubernetes' default is 30."""
    return number(workload.spec, "terminationGracePeriodSeconds", default=30)


def pre_stop_seconds(container: Container) -> float:
    """How long the preStop hook sleeps, where the manifest lets one see it."""
    hook = mapping(container.data, "lifecycle", "preStop")
    if "sleep" in hook:
        return number(hook, "sleep", "seconds", default=0)
    words = " ".join(str(word) for word in mapping(hook, "exec").get("command") or []).split()
    numbers = [word for before, word in pairwise(words) if before.endswith("sleep")]
    return float(numbers[0]) if numbers and numbers[0].replace(".", "", 1).isdigit() else 0.0
