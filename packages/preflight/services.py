"""The caller's description of its services, and the containers that run them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from packages.preflight.pods import Container

Environment = dict[str, str | None]
"""Each variable's value; None for one that only the cluster can set (from a Secret, the pod's own name)."""


Files = dict[str, str]
"""The text of each file, by its path."""


@dataclass(frozen=True)
class Started:
    """A service's settings under one environment, or the error that stops it."""

    error: str | None
    drain_seconds: float = 0.0
    grace_seconds: float = 0.0
    allowed_hosts: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    """The URLs of the services in its tables."""


@dataclass(frozen=True, eq=False)
class Service:
    """One service of the caller's: a container runs it if its image, itself or its workload has the service's name."""

    name: str
    port: int
    settings: frozenset[str]
    start: Callable[[Environment, Files], Started]
    """Its settings under a pod's environment and mounted ConfigMaps."""
    other_variables: tuple[str, ...] = ()
    """Prefixes of variables that its runtime reads."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Paths for probes and scrapes, each with its purpose: `live`, `ready`, `metrics` or ""."""
    metrics: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Each series that it exposes, and its labels."""
    tables: frozenset[str] = frozenset()
    """The settings that name a file if they begin with a slash."""
    timeout: tuple[str, int] = ("", 0)
    """The setting that bounds a request to its dependency, and its default, milliseconds."""
    is_door: bool = False
    """Whether clients from outside reach it, by the host names of routes."""
    keeps_data: bool = False
    """Whether its Redis is a primary store, not a cache."""

    def reads(self, variable: str) -> bool:
        is_setting = {variable, variable.removesuffix("_FILE")} & self.settings
        return bool(is_setting) or variable.startswith(self.other_variables)

    def path_for(self, purpose: str) -> str:
        return next((path for path, found in self.paths.items() if found == purpose), "/")


class Process:
    """A container that runs one of the caller's services."""

    def __init__(self, service: Service, container: Container, environment: Environment, files: Files) -> None:
        self.service, self.container, self.workload = service, container, container.workload
        self.environment, self.files = environment, files
        self.namespace, self.prefix = container.namespace, container.prefix
        self.port = self._number("PORT", service.port)
        self.timeout_ms = self._number(*service.timeout)
        self.is_debug = (environment.get("DEBUG") or "").lower() in {"true", "1", "yes", "on"}
        self.is_server = not container.is_init and self.workload.is_long_running  # else a management command

    def _number(self, name: str, default: int) -> int:
        value = self.environment.get(name) or ""
        return int(value) if value.isdecimal() else default

    def started(self) -> Started:
        return self.service.start(self.environment, self.files)

    def __str__(self) -> str:
        return str(self.workload)


def service_of(container: Container, services: tuple[Service, ...]) -> Service | None:
    """The service a container runs, by its image, its name, or the name of its workload if it is the only container."""
    workload = container.workload
    names = [container.repository, container.name, *([workload.name] if len(workload.containers) == 1 else [])]
    return next((service for name in names for service in services if service.name == name), None)
