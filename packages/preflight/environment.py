"""What a container's process sees: environment variables and mounted files."""

import re
from posixpath import normpath
from typing import Any

from packages.preflight.keys import ANY, config_keys, secret_keys
from packages.preflight.objects import Rendering, dig, items, mapping, text
from packages.preflight.pods import Container, Workload

Environment = dict[str, str | None]
"""Each variable's value; None where it is set, to what only the cluster knows (a Secret, the pod's own name)."""

EXPANSION = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


def environment(rendering: Rendering, workload: Workload, container: Container) -> Environment:
    """Every variable that the manifests set in this container, `envFrom` first, as the kubelet does."""
    found: Environment = {}
    for source in items(container.data, "envFrom"):
        prefix = text(source, "prefix")
        config = rendering.find("ConfigMap", text(source, "configMapRef", "name"), workload.namespace)
        if config is not None:
            found |= {prefix + key: str(value) for key, value in mapping(config.data, "data").items()}
        keys = secret_keys(rendering, text(source, "secretRef", "name"), workload.namespace) or frozenset()
        found |= {prefix + key: None for key in keys - ANY}
    for variable in items(container.data, "env"):
        found[text(variable, "name")] = _value(rendering, workload, variable, found)
    return found


def _value(rendering: Rendering, workload: Workload, variable: dict[str, Any], before: Environment) -> str | None:
    if "valueFrom" not in variable:
        return expand(text(variable, "value"), before)
    reference = mapping(variable, "valueFrom", "configMapKeyRef")
    config = rendering.find("ConfigMap", text(reference, "name"), workload.namespace)
    value = dig(config.data, "data", text(reference, "key")) if config is not None else None
    return None if value is None else str(value)


def expand(value: str, known: Environment) -> str:
    """`$(NAME)` replaced where the value is known; what is not known stays as it is written."""
    return EXPANSION.sub(lambda match: known.get(match[1]) or match[0], value)


def mounted_file(rendering: Rendering, workload: Workload, container: Container, path: str) -> str | None:
    """Why `path` would not be a file in this container; None where it would be, or nobody can tell."""
    path = normpath(path)
    mounts = sorted(items(container.data, "volumeMounts"), key=lambda mount: -len(text(mount, "mountPath")))
    for mount in mounts:
        folder = normpath(text(mount, "mountPath"))
        if path == folder and text(mount, "subPath"):
            return _missing_key(rendering, workload, text(mount, "name"), text(mount, "subPath"))
        if path.startswith(folder.rstrip("/") + "/"):
            return _missing_key(rendering, workload, text(mount, "name"), path[len(folder.rstrip("/")) + 1 :])
    return "no volume is mounted there"


def _missing_key(rendering: Rendering, workload: Workload, volume_name: str, relative: str) -> str | None:
    volume = next((each for each in items(workload.spec, "volumes") if text(each, "name") == volume_name), {})
    fillers = (mount for each in workload.containers if each.is_init for mount in items(each.data, "volumeMounts"))
    if (
        volume
        and not set(volume) - {"name", "emptyDir"}
        and volume_name not in {text(each, "name") for each in fillers}
    ):
        return f"volume {volume_name} is an emptyDir, and nobody fills it"
    for kind, field, keys_of in (("secret", "secretName", secret_keys), ("configMap", "name", config_keys)):
        source = mapping(volume, kind)
        if not source:
            continue
        name = text(source, field)
        keys = keys_of(rendering, name, workload.namespace)
        paths = {text(item, "path") for item in items(source, "items")} or keys
        if keys is None or paths is None or keys >= ANY or relative in paths:
            return None  # a missing object is the rule of references
        return f"{name} has no key {relative!r} mounted"
    return None
