"""Workloads, and the pods they create."""

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

from packages.preflight.objects import Manifest, dig, items, mapping, number, text, texts

CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
WORKLOADS = (*CONTROLLERS, "ReplicationController", "Job", "CronJob", "Pod")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


class Container:
    """One container of a workload's pods. `is_init`: it ends before the pod runs (a sidecar does not)."""

    def __init__(self, workload: "Workload", data: dict[str, Any], *, is_init: bool) -> None:
        self.workload, self.namespace, self.data, self.is_init = workload, workload.namespace, data, is_init
        self.name, self.image, self.ports = text(data, "name"), text(data, "image"), items(data, "ports")
        self.prefix = "" if self.name == workload.name else f"container {self.name}: "
        self.repository = self.image.split("@")[0].rpartition("/")[2].split(":")[0]
        self.command_line = texts(data, "command") + texts(data, "args")
        self.is_never_pulled = text(data, "imagePullPolicy") == "Never"

    @property
    def pre_stop_seconds(self) -> float:
        """The sleep of the preStop hook, if the manifest shows it."""
        hook = mapping(self.data, "lifecycle", "preStop")
        words = " ".join(texts(hook, "exec", "command")).split()
        numbers = [word for before, word in pairwise(words) if before.endswith("sleep")]
        is_shown = numbers and numbers[0].replace(".", "", 1).isdigit()
        return float(numbers[0]) if is_shown else number(hook, "sleep", "seconds", default=0)

    def probes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from ((kind, probe) for kind in PROBES if (probe := mapping(self.data, kind)))

    def __str__(self) -> str:
        return str(self.workload)


class Workload:
    """An object that creates pods; labels, annotations and spec are those of its pods."""

    def __init__(self, manifest: Manifest, template: dict[str, Any]) -> None:
        self.manifest = manifest
        self.kind, self.name, self.namespace = manifest.kind, manifest.name, manifest.namespace
        self.labels = mapping(template, "metadata", "labels")
        self.annotations = mapping(template, "metadata", "annotations")
        self.spec = mapping(template, "spec")
        self.is_long_running = manifest.kind not in {"Job", "CronJob"}
        self.grace_seconds = number(self.spec, "terminationGracePeriodSeconds", default=30)

    @cached_property
    def containers(self) -> list[Container]:
        init = items(self.spec, "initContainers")
        return [
            *(Container(self, data, is_init=text(data, "restartPolicy") != "Always") for data in init),
            *(Container(self, data, is_init=False) for data in items(self.spec, "containers")),
        ]

    @cached_property
    def running(self) -> list[Container]:
        """The containers that run as long as the pod, sidecars included."""
        return [container for container in self.containers if not container.is_init]

    @cached_property
    def volumes(self) -> dict[str, dict[str, Any]]:
        return {text(each, "name"): each for each in items(self.spec, "volumes")}

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
    """The object as a workload, custom ones with a pod template (such as Argo's Rollout) included."""
    if manifest.kind == "Pod":
        return Workload(manifest, manifest.data)
    if manifest.kind == "CronJob":
        return Workload(manifest, mapping(manifest.spec, "jobTemplate", "spec", "template"))
    is_workload = manifest.kind in WORKLOADS or isinstance(dig(manifest.spec, "template", "spec", "containers"), list)
    return Workload(manifest, mapping(manifest.spec, "template")) if is_workload else None
