"""Workloads, and the pods they create."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from packages.preflight.objects import Manifest, dig, items, mapping, number, text, texts

CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
WORKLOADS = (*CONTROLLERS, "ReplicationController", "Job", "CronJob", "Pod")


@dataclass(frozen=True, eq=False)
class Container:
    """One container of a pod. `is_init`: it ends before the pod runs (a sidecar does not)."""

    data: dict[str, Any]
    is_init: bool

    @cached_property
    def name(self) -> str:
        return text(self.data, "name")

    @cached_property
    def image(self) -> str:
        return text(self.data, "image")

    @property
    def repository(self) -> str:
        """The last part of the image's name."""
        return self.image.split("@")[0].rpartition("/")[2].split(":")[0]

    @cached_property
    def ports(self) -> list[dict[str, Any]]:
        return items(self.data, "ports")

    @property
    def command_line(self) -> list[str]:
        return texts(self.data, "command") + texts(self.data, "args")

    @property
    def pre_stop_seconds(self) -> float:
        """How long the preStop hook sleeps, as far as the manifest shows it."""
        hook = mapping(self.data, "lifecycle", "preStop")
        words = " ".join(texts(hook, "exec", "command")).split()
        numbers = [word for before, word in pairwise(words) if before.endswith("sleep")]
        is_shown = numbers and numbers[0].replace(".", "", 1).isdigit()
        return float(numbers[0]) if is_shown else number(hook, "sleep", "seconds", default=0)

    def probes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        kinds = ("livenessProbe", "readinessProbe", "startupProbe")
        yield from ((kind, probe) for kind in kinds if (probe := mapping(self.data, kind)))


@dataclass(frozen=True, eq=False)
class Workload:
    """An object that creates pods, and their template."""

    manifest: Manifest
    template: dict[str, Any]

    @cached_property
    def namespace(self) -> str:
        return self.manifest.namespace

    @cached_property
    def name(self) -> str:
        return self.manifest.name

    @cached_property
    def kind(self) -> str:
        return self.manifest.kind

    @cached_property
    def labels(self) -> dict[str, Any]:
        return mapping(self.template, "metadata", "labels")

    @property
    def annotations(self) -> dict[str, Any]:
        return mapping(self.template, "metadata", "annotations")

    @cached_property
    def spec(self) -> dict[str, Any]:
        return mapping(self.template, "spec")

    @property
    def is_long_running(self) -> bool:
        return self.kind not in {"Job", "CronJob"}

    @property
    def grace_seconds(self) -> int:
        return number(self.spec, "terminationGracePeriodSeconds", default=30)

    @cached_property
    def containers(self) -> list[Container]:
        init = [Container(data, text(data, "restartPolicy") != "Always") for data in items(self.spec, "initContainers")]
        return init + [Container(data, is_init=False) for data in items(self.spec, "containers")]

    @cached_property
    def running(self) -> list[Container]:
        """The containers that run while the pod does, sidecars among them."""
        return [container for container in self.containers if not container.is_init]

    @cached_property
    def ports(self) -> list[dict[str, Any]]:
        return [port for container in self.running for port in container.ports]

    def port(self, wanted: Any) -> int | None:
        """The number of a declared port, given by number or by name."""
        found = (port for port in self.ports if wanted in (port.get("containerPort"), port.get("name")))
        return next((number(port, "containerPort", default=0) for port in found), None)

    @property
    def port_names(self) -> str:
        return ", ".join(f"{text(port, 'name')} {text(port, 'containerPort')}".strip() for port in self.ports) or "none"

    def __str__(self) -> str:
        return str(self.manifest)


def workload(manifest: Manifest) -> Workload | None:
    """The workload an object is, custom ones with a pod template (such as Argo's Rollout) included."""
    if manifest.kind == "Pod":
        return Workload(manifest, manifest.data)
    if manifest.kind == "CronJob":
        return Workload(manifest, mapping(manifest.spec, "jobTemplate", "spec", "template"))
    is_workload = manifest.kind in WORKLOADS or isinstance(dig(manifest.spec, "template", "spec", "containers"), list)
    return Workload(manifest, mapping(manifest.spec, "template")) if is_workload else None
