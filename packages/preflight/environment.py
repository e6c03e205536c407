"""The environment variables and mounted files of a container's process."""

import re
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from packages.preflight.objects import items, mapping, text
from packages.preflight.pods import Container, Workload
from packages.preflight.services import Environment, Files

if TYPE_CHECKING:
    from packages.preflight.rendering import Rendering

NO_MOUNT = "no volume is mounted there"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/"  # noqa: S105 - where Kubernetes mounts it
EXPANSION = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


def container_environment(rendering: "Rendering", container: Container) -> Environment:
    """Every variable that the manifests set, `envFrom` first, as the kubelet does."""
    found: Environment = {}
    for source in items(container.data, "envFrom"):
        prefix = text(source, "prefix")
        config = rendering.find("ConfigMap", text(source, "configMapRef", "name"), container.namespace)
        found |= {prefix + str(key): str(value) for key, value in mapping(config and config.data, "data").items()}
        secret = text(source, "secretRef", "name")
        keys = rendering.keys("Secret", secret, container.namespace) if secret else None
        found |= {prefix + key: None for key in keys or () if key != "*"}
    for variable in items(container.data, "env"):
        found[text(variable, "name")] = _value(rendering, container.namespace, variable, found)
    return found


def _value(rendering: "Rendering", namespace: str, variable: dict[str, Any], before: Environment) -> str | None:
    if "valueFrom" not in variable:
        value = text(variable, "value")
        return EXPANSION.sub(lambda match: before.get(match[1]) or match[0], value)
    reference = mapping(variable, "valueFrom", "configMapKeyRef")
    config = rendering.find("ConfigMap", text(reference, "name"), namespace)
    found = mapping(config and config.data, "data").get(text(reference, "key"))
    return None if found is None else str(found)


def mounted_files(rendering: "Rendering", container: Container) -> Files:
    """The files of all ConfigMaps that are mounted."""
    found: dict[str, Any] = {}
    for mount in items(container.data, "volumeMounts"):
        volume = mapping(container.workload.volumes.get(text(mount, "name")), "configMap")
        config = rendering.find("ConfigMap", text(volume, "name"), container.namespace)
        data = mapping(config and config.data, "data")
        chosen = {text(each, "path"): data.get(text(each, "key"), "") for each in items(volume, "items")} or data
        path, part = text(mount, "mountPath"), text(mount, "subPath")
        found |= {path: chosen.get(part, "")} if part else {f"{path}/{name}": value for name, value in chosen.items()}
    return {normpath(path): str(value) for path, value in found.items()}


def missing_file(rendering: "Rendering", container: Container, path: str) -> str | None:
    """Why `path` is not a file in this container; None if it is, or may be."""
    path = normpath(path)
    for mount in sorted(items(container.data, "volumeMounts"), key=lambda each: -len(text(each, "mountPath"))):
        folder, part = normpath(text(mount, "mountPath")), text(mount, "subPath")
        relative = part if part and path == folder else path.removeprefix(folder.rstrip("/") + "/")
        if relative != path:
            return missing_key(rendering, container.workload, text(mount, "name"), relative)
    return None if path.startswith(TOKEN) else NO_MOUNT


def missing_key(rendering: "Rendering", workload: Workload, name: str, relative: str) -> str | None:
    """Why a volume has no such file; None if it has, or may have."""
    volume = workload.volumes.get(name, {})
    filled = {text(mount, "name") for each in workload.containers for mount in items(each.data, "volumeMounts")
              if each.is_init}  # fmt: skip
    if volume and not set(volume) - {"name", "emptyDir"} and name not in filled:
        return f"volume {name} is an emptyDir that no init container fills"
    for kind, field, name_field in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name")):
        if source := mapping(volume, field):
            keys = rendering.keys(kind, text(source, name_field), workload.namespace)
            paths = {text(item, "path") for item in items(source, "items")} or keys or {"*"}  # a missing object: M300
            return None if paths & {relative, "*"} else f"{text(source, name_field)} has no key {relative!r} mounted"
    return None
