"""Pods as the workloads of a rendering make them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from packages.preflight.objects import Manifest, Rendering, items, mapping, number, text

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "Pod")
LONG_RUNNING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod")


@dataclass(frozen=True)
class Container:
    """One container of a pod."""

    data: dict[str, Any]
    is_init: bool

    @property
    def name(self) -> str:
        """Its name within the pod."""
        return text(self.data, "name")

    @property
    def image(self) -> str:
        """The image reference."""
        return text(self.data, "image")

    @property
    def ports(self) -> list[dict[str, Any]]:
        """The declared ports."""
        return items(self.data, "ports")

    @property
    def command_line(self) -> list[str]:
        """`command` and `args`, as far as the manifest says."""
        return [
            str(word)
            for key in ("command", "args")
            for word in self.data.get(key) or []
            if isinstance(self.data.get(key), list)
        ]


@dataclass(frozen=True)
class Workload:
    """What makes pods, and the pods it makes."""

    manifest: Manifest
    template: dict[str, Any]

    @property
    def namespace(self) -> str:
        """Where its pods run."""
        return self.manifest.namespace

    @property
    def labels(self) -> dict[str, Any]:
        """The labels of its pods."""
        return mapping(self.template, "metadata", "labels")

    @property
    def annotations(self) -> dict[str, Any]:
        """The annotations of its pods."""
        return mapping(self.template, "metadata", "annotations")

    @property
    def spec(self) -> dict[str, Any]:
        """The pod spec."""
        return mapping(self.template, "spec")

    @property
    def is_long_running(self) -> bool:
        """It serves, rather than ends."""
        return self.manifest.kind in LONG_RUNNING

    @property
    def containers(self) -> list[Container]:
        """Every container; an init container that restarts always is a sidecar."""
        init = [Container(data, text(data, "restartPolicy") != "Always") for data in items(self.spec, "initContainers")]
        return init + self.main_containers

    @property
    def main_containers(self) -> list[Container]:
        """The containers that run while the pod does."""
        return [Container(data, is_init=False) for data in items(self.spec, "containers")]

    def port(self, wanted: Any) -> int | None:
        """The number of a declared port, given by number or by name; None where no container declares it."""
        for container in self.containers:
            for port in container.ports:
                if not container.is_init and wanted in (port.get("containerPort"), port.get("name")):
                    return number(port, "containerPort", default=0)
        return None

    @property
    def declares_ports(self) -> bool:
        """Whether any container says what it listens on."""
        return any(container.ports for container in self.main_containers)

    def __str__(self) -> str:
        return str(self.manifest)


def workloads(rendering: Rendering) -> Iterator[Workload]:
    """Every object that makes pods."""
    for manifest in rendering.of(*WORKLOADS):
        if manifest.kind == "Pod":
            yield Workload(manifest, manifest.data)
        elif manifest.kind == "CronJob":
            yield Workload(manifest, mapping(manifest.spec, "jobTemplate", "spec", "template"))
        else:
            yield Workload(manifest, mapping(manifest.spec, "template"))


def selected(rendering: Rendering, service: Manifest) -> list[Workload]:
    """The workloads whose pods a Service sends to."""
    selector = mapping(service.spec, "selector")
    return [
        workload
        for workload in workloads(rendering)
        if selector
        and workload.namespace == service.namespace
        and all(str(workload.labels.get(key)) == str(value) for key, value in selector.items())
    ]
