"""Rules: names of objects and keys that are not there."""

from collections.abc import Iterator
from typing import Any

from packages.preflight.environment import EXPANSION, environment, mounted_file
from packages.preflight.keys import ANY, config_keys, secret_keys
from packages.preflight.objects import Rendering, items, mapping, text
from packages.preflight.pods import Container, workloads
from packages.preflight.violation import Violation

Wanted = tuple[str, str, str | None, str]
"""Kind, name, key (None: the object alone) and who asks."""


def config_and_secrets(rendering: Rendering) -> Iterator[Violation]:
    """ConfigMaps, Secrets, and keys of them, that nothing in the rendering makes."""
    for workload in workloads(rendering):
        wanted = [*_of_volumes(workload.spec)]
        for container in workload.containers:
            wanted += _of_container(container)
        for kind, name, key, where in dict.fromkeys(wanted):
            keys = (config_keys if kind == "ConfigMap" else secret_keys)(rendering, name, workload.namespace)
            if keys is None:
                yield Violation(
                    str(workload),
                    f"{where} wants {kind} {name!r}, which is not there",
                    "its pods stay in CreateContainerConfigError",
                    f"render {name}, or correct the name",
                )
            elif key is not None and key not in keys and not keys >= ANY:
                yield Violation(
                    str(workload),
                    f"{where} wants key {key!r} of {kind} {name}, which has {', '.join(sorted(keys)) or 'none'}",
                    "its pods stay in CreateContainerConfigError",
                    f"add the key to {name}",
                )


def _of_container(container: Container) -> Iterator[Wanted]:
    for source in items(container.data, "envFrom"):
        for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            reference = mapping(source, field)
            if reference and reference.get("optional") is not True:
                yield kind, text(reference, "name"), None, f"envFrom of container {container.name}"
    for variable in items(container.data, "env"):
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            reference = mapping(variable, "valueFrom", field)
            if reference and reference.get("optional") is not True:
                yield (
                    kind,
                    text(reference, "name"),
                    text(reference, "key"),
                    f"{text(variable, 'name')} of container {container.name}",
                )


def _of_volumes(spec: dict[str, Any]) -> Iterator[Wanted]:
    for volume in items(spec, "volumes"):
        for source in [volume, *items(volume, "projected", "sources")]:
            for kind, field, name in (
                ("ConfigMap", "configMap", "name"),
                ("Secret", "secret", "secretName" if source is volume else "name"),
            ):
                found = mapping(source, field)
                if found and found.get("optional") is not True:
                    where = f"volume {text(volume, 'name')}"
                    yield kind, text(found, name), None, where
                    yield from ((kind, text(found, name), text(item, "key"), where) for item in items(found, "items"))
    for secret in items(spec, "imagePullSecrets"):
        yield "Secret", text(secret, "name"), None, "imagePullSecrets"


def identities(rendering: Rendering) -> Iterator[Violation]:
    """A ServiceAccount or governing Service that is not there."""
    for workload in workloads(rendering):
        account = text(workload.spec, "serviceAccountName")
        if account not in {"", "default"} and rendering.find("ServiceAccount", account, workload.namespace) is None:
            yield Violation(
                str(workload),
                f"ServiceAccount {account!r} is not there",
                "no pod is created: forbidden, serviceaccount not found",
                f"render ServiceAccount {account}",
            )
        service = text(workload.manifest.spec, "serviceName")
        if (
            workload.manifest.kind == "StatefulSet"
            and service
            and rendering.find("Service", service, workload.namespace) is None
        ):
            yield Violation(
                str(workload),
                f"its governing Service {service!r} is not there",
                "its pods have no names in DNS",
                f"render a headless Service {service}",
            )
    for binding in rendering.of("RoleBinding"):
        role = mapping(binding.data, "roleRef")
        if text(role, "kind") == "Role" and rendering.find("Role", text(role, "name"), binding.namespace) is None:
            yield Violation(
                str(binding),
                f"Role {text(role, 'name')!r} is not there",
                "it grants nothing",
                "render the Role, or correct the name",
            )
        for subject in items(binding.data, "subjects"):
            namespace = text(subject, "namespace") or binding.namespace
            if (
                text(subject, "kind") == "ServiceAccount"
                and namespace == binding.namespace
                and rendering.find("ServiceAccount", text(subject, "name"), namespace) is None
            ):
                yield Violation(
                    str(binding),
                    f"ServiceAccount {text(subject, 'name')!r} is not there",
                    "it grants nothing",
                    "render the ServiceAccount, or correct the name",
                )


def operators(rendering: Rendering) -> Iterator[Violation]:
    """What custom resources lean on, where that is in the same namespace."""
    for secret in rendering.of("ExternalSecret"):
        store = mapping(secret.spec, "secretStoreRef")
        if (
            text(store, "kind") in {"", "SecretStore"}
            and rendering.find("SecretStore", text(store, "name"), secret.namespace) is None
        ):
            yield Violation(
                str(secret),
                f"SecretStore {text(store, 'name')!r} is not there",
                "its Secret is never made",
                "render the SecretStore, or correct the name",
            )
    for provider in rendering.of("SecretStore"):
        account = text(provider.spec, "provider", "aws", "auth", "jwt", "serviceAccountRef", "name")
        if account and rendering.find("ServiceAccount", account, provider.namespace) is None:
            yield Violation(
                str(provider),
                f"ServiceAccount {account!r} is not there",
                "the operator cannot log in: no Secret is made",
                f"render ServiceAccount {account}",
            )
    for route in rendering.of("HTTPRoute", "GRPCRoute"):
        for parent in items(route.spec, "parentRefs"):
            if text(parent, "namespace") not in {"", route.namespace} or text(parent, "kind") not in {"", "Gateway"}:
                continue
            gateway = rendering.find("Gateway", text(parent, "name"), route.namespace)
            sections = {text(each, "name") for each in items(gateway.spec, "listeners")} if gateway else set()
            if gateway is None or (text(parent, "sectionName") or next(iter(sections), "")) not in sections:
                yield Violation(
                    str(route),
                    " ".join(f"Gateway {text(parent, 'name')!r} {text(parent, 'sectionName')} is not there".split()),
                    "nobody sends it a request",
                    f"name a Gateway and a listener of it: {', '.join(sorted(sections)) or 'there are none'}",
                )


def tls_secrets(rendering: Rendering) -> Iterator[Violation]:
    """A certificate that nobody makes."""
    for door in rendering.of("Ingress", "Gateway"):
        names = {text(tls, "secretName") for tls in items(door.spec, "tls")}
        names |= {
            text(ref, "name")
            for listener in items(door.spec, "listeners")
            for ref in items(listener, "tls", "certificateRefs")
            if not text(ref, "namespace")
        }
        for name in sorted(names - {""}):
            if secret_keys(rendering, name, door.namespace) is None:
                yield Violation(
                    str(door),
                    f"Secret {name!r} for TLS is not there",
                    "browsers see a certificate error, or nothing listens",
                    "annotate it with cert-manager.io/cluster-issuer, or render a Certificate",
                )


def expansions(rendering: Rendering) -> Iterator[Violation]:
    """`$(NAME)` of a variable that is not set; a NAME_FILE that no mount provides."""
    for workload in workloads(rendering):
        for container in workload.containers:
            known = environment(rendering, workload, container)
            before: set[str] = set(known) - {text(each, "name") for each in items(container.data, "env")}
            for variable in items(container.data, "env"):
                for name in EXPANSION.findall(text(variable, "value")):
                    if name not in before and "$$(" not in text(variable, "value"):
                        yield Violation(
                            str(workload),
                            f"{text(variable, 'name')} of container {container.name} "
                            f"uses $({name}), which is not set before it",
                            "the process gets the text as it is written",
                            f"set {name} above it",
                        )
                before.add(text(variable, "name"))
            for name, value in known.items():
                if name.endswith("_FILE") and value and value.startswith("/"):
                    missing = mounted_file(rendering, workload, container, value)
                    if missing:
                        yield Violation(
                            str(workload),
                            f"{name} of container {container.name} is {value}: {missing}",
                            "the process stops at start: it cannot read its secret",
                            "mount the Secret there, with that key",
                        )
