"""Rules: security contexts looser than Pod Security `restricted`, with a read-only root besides."""

from collections.abc import Iterator
from typing import Any

from packages.preflight.objects import Manifest, Rendering, dig, items, mapping, text, texts
from packages.preflight.pods import Container, Workload, workloads
from packages.preflight.violation import Violation

RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def contexts(rendering: Rendering) -> Iterator[Violation]:
    """What a container may do beyond its work."""
    for workload in workloads(rendering):
        for container in workload.containers:
            for what, why, cure in _loosened(workload, container):
                yield Violation(str(workload), f"container {container.name}: {what}", why, cure)


def _loosened(workload: Workload, container: Container) -> Iterator[tuple[str, str, str]]:
    own = mapping(container.data, "securityContext")
    if own.get("privileged") is True:
        yield "privileged is true", "it is root on the node", "remove it"
    if own.get("allowPrivilegeEscalation") is not False:
        cure = "set allowPrivilegeEscalation: false"
        yield "allowPrivilegeEscalation is not false", "a set-uid program makes it root", cure
    if own.get("readOnlyRootFilesystem") is not True:
        cure = "set it, and mount an emptyDir at /tmp"
        yield "readOnlyRootFilesystem is not true", "an intruder can change the code that runs", cure
    if "ALL" not in [each.upper() for each in texts(own, "capabilities", "drop")]:
        yield "capabilities are not dropped", "it keeps chown, net_raw, setuid and more", "set capabilities.drop: [ALL]"
    extra = sorted(set(texts(own, "capabilities", "add")) - {"NET_BIND_SERVICE"})
    if extra:
        yield f"adds capability {', '.join(extra)}", "Pod Security `restricted` refuses it", "remove it"
    if any(port.get("hostPort") for port in container.ports):
        yield "opens a hostPort", "it takes the node's port, past every network policy", "use a Service"
    yield from _identity({**mapping(workload.spec, "securityContext"), **own})


def _identity(context: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What a container may say itself, or leave to its pod."""
    if context.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true", "an image that runs as root is not refused", "set runAsNonRoot: true"
    if context.get("runAsUser") == 0:
        yield "runAsUser is 0", "it runs as root", "set runAsUser: 1001"
    if text(context, "seccompProfile", "type") not in {"RuntimeDefault", "Localhost"}:
        cure = "set seccompProfile.type: RuntimeDefault"
        yield "seccompProfile is not RuntimeDefault", "every system call of the kernel is open to it", cure


def pods(rendering: Rendering) -> Iterator[Violation]:
    """What a pod shares with its node or with the API server."""
    for workload in workloads(rendering):
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if workload.spec.get(key) is True:
                yield Violation(
                    str(workload), f"{key} is true", "it sees the node's own, past every network policy", "remove it"
                )
        for volume in items(workload.spec, "volumes"):
            kinds = set(volume) - {"name"}
            if kinds - RESTRICTED_VOLUMES:
                yield Violation(
                    str(workload),
                    f"volume {text(volume, 'name')} is a {', '.join(sorted(kinds))}",
                    "Pod Security `restricted` refuses it",
                    "use an emptyDir or a claim",
                )
        account = rendering.find(
            "ServiceAccount", text(workload.spec, "serviceAccountName") or "default", workload.namespace
        )
        mounted = workload.spec.get(
            "automountServiceAccountToken", dig(account.data if account else {}, "automountServiceAccountToken")
        )
        if mounted is not False and not (account and _has_role(rendering, account)):
            yield Violation(
                str(workload),
                "mounts a service account token",
                "an intruder can ask the Kubernetes API",
                "set automountServiceAccountToken: false",
            )


def _has_role(rendering: Rendering, account: Manifest) -> bool:
    """Whether something grants the account a role: then its pods are meant to ask the API."""
    return any(
        (text(subject, "kind"), text(subject, "name")) == ("ServiceAccount", account.name)
        and (text(subject, "namespace") or binding.namespace) == account.namespace
        for binding in rendering.of("RoleBinding", "ClusterRoleBinding")
        for subject in items(binding.data, "subjects")
    )


def service_links(rendering: Rendering) -> Iterator[Violation]:
    """Variables that Kubernetes makes of Services and that read as our settings (bitnami/charts#2828)."""
    for workload in workloads(rendering):
        if workload.spec.get("enableServiceLinks") is False:
            continue
        names = sorted(each.name for each in rendering.of("Service", namespace=workload.namespace))
        if "redis" in names and any(container.ports for container in workload.containers):
            yield Violation(
                str(workload),
                "enableServiceLinks is not false",
                "Kubernetes sets REDIS_PORT=tcp://… in its environment",
                "set enableServiceLinks: false",
            )


def namespaces(rendering: Rendering) -> Iterator[Violation]:
    """A namespace that admits what no workload of ours needs."""
    for namespace in rendering.of("Namespace"):
        level = namespace.labels.get("pod-security.kubernetes.io/enforce")
        if level != "restricted":
            yield Violation(
                str(namespace),
                f"enforces Pod Security {level or 'of no level'}",
                "a loosened pod is admitted",
                "label it pod-security.kubernetes.io/enforce: restricted",
            )
