"""All objects that are applied together, indexed."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from packages.preflight.environment import container_environment, mounted_files
from packages.preflight.kinds import deploys_anywhere, may_make_objects
from packages.preflight.objects import Manifest, items, mapping, matches, number, text, texts
from packages.preflight.pods import Container, Workload, workload
from packages.preflight.secrets import ANY_KEY, made_secrets
from packages.preflight.services import Environment, Process, Service, service_of

SCALERS = {
    "HorizontalPodAutoscaler": (("minReplicas", 1), ("maxReplicas", 1)),
    "ScaledObject": (("minReplicaCount", 0), ("maxReplicaCount", 100)),
}
BUILT_IN_OBJECTS = {
    "ConfigMap": {"istio-ca-root-cert", "kube-root-ca.crt", "openshift-service-ca.crt"},
    "ServiceAccount": {"default"},
    "Role": {"extension-apiserver-authentication-reader"},
    "ClusterRole": {"admin", "cluster-admin", "edit", "view"},
}


class Rendering:
    """Objects by kind, name and label; `services` are the caller's own."""

    def __init__(self, manifests: Iterable[Manifest], services: Iterable[Service] = ()) -> None:
        self.manifests = list(manifests)
        self.services = tuple(services)
        self._environments: dict[Container, Environment] = {}

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str | None], list[Manifest]]:
        found: dict[tuple[str, str | None], list[Manifest]] = defaultdict(list)
        for manifest in self.manifests:
            found[manifest.kind, None].append(manifest)
            found[manifest.kind, manifest.namespace].append(manifest)
        return found

    @cached_property
    def _by_name(self) -> dict[tuple[str, str, str], Manifest]:
        return {(each.kind, each.name, each.namespace): each for each in reversed(self.manifests)}

    def of(self, *kinds: str, namespace: str | None = None) -> list[Manifest]:
        """The objects of these kinds, in one namespace or in all."""
        return [manifest for kind in kinds for manifest in self._by_kind.get((kind, namespace), [])]

    def find(self, kind: str, name: str, namespace: str = "") -> Manifest | None:
        return self._by_name.get((kind, name, namespace))

    def namespace_labels(self, name: str) -> dict[str, Any]:
        found = self.find("Namespace", name)
        return {**(found.labels if found else {}), "kubernetes.io/metadata.name": name}

    # Pods

    @cached_property
    def workloads(self) -> list[Workload]:
        return [found for manifest in self.manifests if (found := workload(manifest))]

    @cached_property
    def _by_label(self) -> dict[tuple[str, str, str], list[Workload]]:
        found = defaultdict(list)
        for each in self.workloads:
            for key, value in {"": "", **each.labels}.items():
                found[each.namespace, str(key), str(value)].append(each)
        return found

    def pods(self, namespace: str, selector: Any = None) -> list[Workload]:
        """The workloads of a namespace whose pods a label selector matches."""
        wanted = {"": "", **mapping(selector, "matchLabels")}.items()
        lists = [self._by_label.get((namespace, str(key), str(value)), []) for key, value in wanted]
        found = min(lists, key=len)
        return [each for each in found if matches(selector, each.labels)] if selector else found

    def behind(self, service: Manifest) -> list[Workload]:
        """The workloads whose pods a Service selects."""
        selector = mapping(service.spec, "selector")
        return self.pods(service.namespace, {"matchLabels": selector}) if selector else []

    def services_of(self, each: Workload) -> list[Manifest]:
        return [service for service in self.of("Service", namespace=each.namespace) if each in self.behind(service)]

    @cached_property
    def budgets(self) -> defaultdict[Workload, list[Manifest]]:
        found = defaultdict(list)
        for budget in self.of("PodDisruptionBudget"):
            selector = budget.spec.get("selector")  # an empty selector matches all pods, a missing one none
            for each in self.pods(budget.namespace, selector) if isinstance(selector, dict) else []:
                found[each].append(budget)
        return found

    def environment(self, container: Container) -> Environment:
        if container not in self._environments:
            self._environments[container] = container_environment(self, container)
        return self._environments[container]

    @cached_property
    def processes(self) -> list[Process]:
        """Every container that runs one of the caller's services."""
        return [
            Process(service, container, self.environment(container), mounted_files(self, container))
            for container in self.containers
            if (service := service_of(container, self.services))
        ]

    @cached_property
    def servers(self) -> list[Process]:
        return [process for process in self.processes if process.is_server]

    @cached_property
    def containers(self) -> list[Container]:
        return [container for each in self.workloads for container in each.containers]

    def is_ours(self, each: Workload | Container | Manifest | Process) -> bool:
        return each.namespace in self.own_namespaces

    @cached_property
    def own_namespaces(self) -> frozenset[str]:
        return frozenset(process.namespace for process in self.processes)

    # Objects that others create

    @cached_property
    def _operated(self) -> dict[str, list[tuple[str, str]]]:
        """Names and specs of custom resources that may create objects, by namespace; "*" for any."""
        found = defaultdict(list)
        for each in filter(may_make_objects, self.manifests):
            place = "*" if deploys_anywhere(each) else each.namespace
            found[place].append((each.name, json.dumps(each.spec, default=str)))
        return found

    def has_operator(self, namespace: str) -> bool:
        """Whether a custom resource may create pods there."""
        return namespace in self._operated or "*" in self._operated

    def is_known(self, kind: str, name: str, namespace: str = "") -> bool:
        """Whether the object is here or in every cluster, or an operator may create it."""
        is_built_in = name in BUILT_IN_OBJECTS.get(kind, ()) or name.startswith(("system:", "system-"))
        if self.find(kind, name, namespace) or is_built_in or (kind == "Secret" and (name, namespace) in self._secrets):
            return True
        if kind == "Service" and self.has_operator(namespace):
            return True
        makers = self._operated.get(namespace, []) + self._operated.get("*", [])
        return any(maker in name or name in spec for maker, spec in makers)

    @cached_property
    def _secrets(self) -> dict[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], frozenset[str]] = {}
        for manifest in self.manifests:
            for name, keys in made_secrets(manifest):
                found.setdefault((name, manifest.namespace), keys)
        return found

    def makes_all_secrets(self, namespace: str) -> bool:
        """Whether the rendering has all Secrets of a namespace: it has some, and no account may create others."""
        rules = [each for role in self.of("Role", "ClusterRole") for each in items(role.data, "rules")]
        creating = [each for each in rules if {"secrets", "*"} & set(texts(each, "resources"))]
        is_closed = not any({"create", "*"} & set(texts(each, "verbs")) for each in creating)
        return is_closed and namespace in {made_in for _, made_in in self._secrets}

    def keys(self, kind: str, name: str, namespace: str) -> frozenset[str] | None:
        """The keys of a ConfigMap or Secret; None if nothing here makes it."""
        if kind == "Secret" and (name, namespace) in self._secrets:
            return self._secrets[name, namespace]
        if kind == "ConfigMap" and (found := self.find("ConfigMap", name, namespace)):
            return frozenset(mapping(found.data, "data")) | {*mapping(found.data, "binaryData")}
        return ANY_KEY if self.is_known(kind, name, namespace) else None

    # Replicas

    @cached_property
    def _scalers(self) -> dict[tuple[str, str, str], list[Manifest]]:
        found = defaultdict(list)
        for scaler in self.of(*SCALERS):
            found[(*scale_target(scaler), scaler.namespace)].append(scaler)
        return found

    def scalers(self, each: Workload) -> list[Manifest]:
        return self._scalers.get((each.kind, each.name, each.namespace), [])

    def replicas(self, each: Workload) -> tuple[int, int]:
        """The minimum and maximum number of pods, without a rolling update's surge."""
        count = number(each.manifest.spec, "replicas", default=1)
        bounds = [scale_bounds(scaler) for scaler in self.scalers(each)] or [(count, count)]
        return min(least for least, _ in bounds), max(most for _, most in bounds)


def scale_target(scaler: Manifest) -> tuple[str, str]:
    target = mapping(scaler.spec, "scaleTargetRef")
    return text(target, "kind") or "Deployment", text(target, "name")


def scale_bounds(scaler: Manifest) -> tuple[int, int]:
    (least, few), (most, many) = SCALERS[scaler.kind]
    return number(scaler.spec, least, default=few), number(scaler.spec, most, default=many)
