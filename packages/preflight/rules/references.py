"""Names of objects, keys, ports and hosts that do not exist."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from packages.preflight.edges import backends, connections
from packages.preflight.environment import EXPANSION, NO_MOUNT, missing_file, missing_key
from packages.preflight.objects import Manifest, items, mapping, number, text, texts
from packages.preflight.pods import Container, Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering
from packages.preflight.secrets import tls_secrets
from packages.preflight.services import service_of

Wanted = tuple[str, str, str | None, str]
"""Kind, name, key (None: the object alone) and place of a reference."""
SOURCES = (("ConfigMap", "configMap"), ("Secret", "secret"))


@rule("M300", "workloads", why="its pods stay in CreateContainerConfigError")
def config_map_or_secret_that_does_not_exist(rendering: Rendering, workload: Workload) -> Hits:
    for kind, name, key, where in dict.fromkeys(_wanted(workload)):
        keys = rendering.keys(kind, name, workload.namespace)
        if keys is None and key is None:
            is_certain = _is_certain(rendering, workload.namespace, kind, name)
            what = f"{where} needs {kind} {name!r}, which does not exist"
            yield Hit(what, f"render {name}, or correct the name", is_certain=is_certain)
        elif keys is not None and key is not None and not keys & {key, "*"}:
            what = f"{where} needs key {key!r} of {kind} {name}, which has {', '.join(sorted(keys)) or 'none'}"
            yield Hit(what, f"add the key to {name}")


def _is_certain(rendering: Rendering, namespace: str, kind: str, name: str) -> bool:
    """Whether the object is certainly missing: a Secret of others may be made by hand, if this rendering has none with
    a similar name."""
    similar = get_close_matches(name, [each.name for each in rendering.of("Secret")], 1, 0.8)
    return kind != "Secret" or rendering.makes_all_secrets(namespace) or bool(similar)


def _wanted(workload: Workload) -> Iterator[Wanted]:
    for container in workload.containers:
        for kind, field in SOURCES:
            for source in items(container.data, "envFrom"):
                yield from _reference(kind, mapping(source, f"{field}Ref"), f"envFrom of container {container.name}")
            for variable in items(container.data, "env"):
                where = f"{text(variable, 'name')} of container {container.name}"
                yield from _reference(kind, mapping(variable, "valueFrom", f"{field}KeyRef"), where)
    for volume in items(workload.spec, "volumes"):
        for source in [volume, *items(volume, "projected", "sources")]:
            for kind, field in SOURCES:
                yield from _reference(kind, mapping(source, field), f"volume {text(volume, 'name')}")


def _reference(kind: str, found: dict[str, Any], where: str) -> Iterator[Wanted]:
    if found and found.get("optional") is not True:
        name = text(found, "secretName") or text(found, "name")
        yield kind, name, None, where
        keys = [text(found, "key")] if "key" in found else [text(item, "key") for item in items(found, "items")]
        yield from ((kind, name, key, where) for key in keys)


@rule("M301", "workloads", why="its pods have no names of their own in DNS")
def governing_service_that_does_not_fit_its_stateful_set(rendering: Rendering, each: Workload) -> Hits:
    name = text(each.manifest.spec, "serviceName")
    if each.kind != "StatefulSet" or not name or rendering.has_operator(each.namespace):
        return
    service = rendering.find("Service", name, each.namespace)
    # A single pod has the Service's own name; only several need their own.
    is_certain = rendering.replicas(each)[1] > 1
    cure = f"render a headless Service {name} that selects its pods"
    if service is None:
        yield Hit(f"its governing Service {name!r} does not exist", cure, is_certain=is_certain)
    elif text(service.spec, "clusterIP") != "None":
        yield Hit(f"its governing {service} is not headless", cure, is_certain=is_certain)
    elif mapping(service.spec, "selector") and each not in rendering.behind(service):
        yield Hit(f"its governing {service} selects other pods", cure)


@rule("M302", why="its name does not resolve: every request fails")
def host_or_port_of_a_setting_that_does_not_exist(rendering: Rendering) -> Hits:
    for workload, address, found in connections(rendering):
        service, namespace = found.service, found.namespace
        ports = [number(port, "port", default=0) for port in items(service and service.spec, "ports")]
        if service is None and found.is_here:
            here = sorted(each.name for each in rendering.of("Service", namespace=namespace))
            is_judged = here or namespace in rendering.own_namespaces
            aliases = [host for alias in items(workload.spec, "hostAliases") for host in texts(alias, "hostnames")]
            is_known = rendering.is_known("Service", address.host.split(".")[0], namespace) or address.host in aliases
            if is_judged and not is_known:
                what = f"{address.setting} names host {address.host!r}, which is not a Service"
                yield Hit(what, f"name a Service: {', '.join(here) or 'there is none'}", on=workload)
        elif ports and address.port and address.port not in ports:
            have = f"{service} has port {', '.join(map(str, ports))}"
            what = f"{address.setting} names {address.host}:{address.port}, {have}"
            yield Hit(what, "use a port that the Service has", "connections are refused or hang", on=workload)
        for owner in rendering.behind(service) if service and found.ordinal is not None else []:
            first = number(owner.manifest.spec, "ordinals", "start", default=0)
            last = first + rendering.replicas(owner)[1] - 1
            if address.host.startswith(f"{owner.name}-{found.ordinal}.") and not first <= (found.ordinal or 0) <= last:
                what = f"{address.setting} names {address.host}, {owner} has pods {first} to {last}"
                yield Hit(what, "name a pod that exists, or raise replicas", on=workload)


@rule("M303", "ExternalSecret", "SecretStore", why="no Secret is made", cure="render it, or correct the name")
def secret_store_or_account_that_does_not_exist(rendering: Rendering, each: Manifest) -> Hits:
    store = text(each.spec, "secretStoreRef", "name")
    is_local = text(each.spec, "secretStoreRef", "kind") in {"", "SecretStore"}
    if store and is_local and not rendering.find("SecretStore", store, each.namespace):
        yield f"SecretStore {store!r} does not exist"
    account = text(each.spec, "provider", "aws", "auth", "jwt", "serviceAccountRef", "name")
    if account and not rendering.is_known("ServiceAccount", account, each.namespace):
        yield f"ServiceAccount {account!r} does not exist"


@rule("M304", "Ingress", "Gateway", why="clients see a certificate error")
def tls_secret_that_does_not_exist_or_has_another_type(rendering: Rendering, each: Manifest) -> Hits:
    for name in tls_secrets(each):
        secret = rendering.find("Secret", name, each.namespace)
        if rendering.keys("Secret", name, each.namespace) is None:
            is_certain = _is_certain(rendering, each.namespace, "Secret", name)
            cure = "annotate it with cert-manager.io/cluster-issuer, or render a Certificate"
            yield Hit(f"Secret {name!r} for TLS does not exist", cure, is_certain=is_certain)
        elif secret and text(secret.data, "type") != "kubernetes.io/tls":
            what = f"its {secret} for TLS has the type {text(secret.data, 'type') or 'Opaque'}"
            yield Hit(what, "set type: kubernetes.io/tls, with tls.crt and tls.key")


@rule("M305", "containers", why="the process gets the text $(NAME)")
def variable_that_is_not_set_where_it_is_used(rendering: Rendering, container: Container) -> Hits:
    variables = items(container.data, "env")
    known = rendering.environment(container) if any("$(" in text(each, "value") for each in variables) else {}
    before = set(known) - {text(each, "name") for each in variables}
    sources = [text(source, field, "name") for source in items(container.data, "envFrom") for field in source]
    is_open = any("*" in (rendering.keys("Secret", name, container.namespace) or "") for name in sources)
    for variable in variables:
        for name in EXPANSION.findall(text(variable, "value").replace("$$", "")):
            if name not in before and not is_open and "_SERVICE_" not in name:  # Kubernetes sets these
                what = f"{text(variable, 'name')} uses $({name}), which is not set before it"
                yield Hit(what, f"set {name} above it")
        before.add(text(variable, "name"))


@rule("M306", "containers", why="the process cannot read it", cure="mount it there, with that key")
def file_setting_without_its_file(rendering: Rendering, container: Container) -> Hits:
    ours = service_of(container, rendering.services)
    for name, value in rendering.environment(container).items():
        is_file = name.endswith("_FILE") or (ours and name in ours.tables)
        if is_file and value and value.startswith("/"):
            reason = missing_file(rendering, container, value)
            if reason and (ours or reason != NO_MOUNT):  # images of others have unknown files
                yield f"{name} is {value}: {reason}"


@rule("M307", "containers", why="the container gets an empty folder instead of the file", cure="name a key that exists")
def file_that_its_config_map_or_secret_does_not_have(rendering: Rendering, container: Container) -> Hits:
    for mount in items(container.data, "volumeMounts"):
        name, part = text(mount, "name"), text(mount, "subPath")
        is_filled_here = {"configMap", "secret"} & set(container.workload.volumes.get(name, ()))
        if part and is_filled_here and (reason := missing_key(rendering, container.workload, name, part)):
            yield f"mounts subPath {part!r}: {reason}"


@rule("M308", "workloads")
def volume_or_claim_that_does_not_exist(rendering: Rendering, workload: Workload) -> Hits:
    volumes = set(workload.volumes)
    volumes |= {text(claim, "metadata", "name") for claim in items(workload.manifest.spec, "volumeClaimTemplates")}
    for container in workload.containers:
        for name in sorted({text(mount, "name") for mount in items(container.data, "volumeMounts")} - volumes):
            what = f"container {container.name} mounts volume {name!r}, which does not exist"
            yield Hit(what, f"add the volume, or mount one of {', '.join(sorted(volumes)) or 'none'}")
    for volume in items(workload.spec, "volumes"):
        name = text(volume, "persistentVolumeClaim", "claimName")
        if name and not rendering.is_known("PersistentVolumeClaim", name, workload.namespace):
            what = f"volume {text(volume, 'name')} needs PersistentVolumeClaim {name!r}, which does not exist"
            yield Hit(what, f"render {name}, or correct the name", "its pods stay Pending")


@rule("M309", "Ingress", "HTTPRoute", "GRPCRoute", why="clients get 503 (500 from some controllers)")
def route_to_a_service_or_port_that_does_not_exist(rendering: Rendering, route: Manifest) -> Hits:
    for name, port in backends(route):
        service = rendering.find("Service", name, route.namespace)
        ports = items(service and service.spec, "ports")
        if not rendering.is_known("Service", name, route.namespace):
            names = sorted(each.name for each in rendering.of("Service", namespace=route.namespace))
            cure = f"name one of {', '.join(names) or 'the Services: there are none'}"
            yield Hit(f"its backend Service {name!r} does not exist", cure)
        elif service and not any(port in (each.get("port"), each.get("name")) for each in ports):
            have = ", ".join(f"{text(each, 'name')} {text(each, 'port')}" for each in ports)
            yield Hit(f"its backend {name} has no port {port}", f"use a port that it has: {have}")


@rule("M310", "HTTPRoute", "GRPCRoute", why="no request arrives")
def route_without_its_gateway(rendering: Rendering, route: Manifest) -> Hits:
    for parent in items(route.spec, "parentRefs"):
        name, section = text(parent, "name"), text(parent, "sectionName")
        gateway = rendering.find("Gateway", name, route.namespace)
        is_here = text(parent, "namespace") in {"", route.namespace} and text(parent, "kind") in {"", "Gateway"}
        sections = {text(each, "name") for each in items(gateway and gateway.spec, "listeners")}
        if is_here and (gateway is None or (section and section not in sections)):
            have = ", ".join(sorted(sections)) or "there are none"
            what = " ".join(f"Gateway {name!r} {section} does not exist".split())
            yield Hit(what, f"name a Gateway and a listener of it: {have}")
