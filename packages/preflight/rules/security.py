"""Security contexts that are loosened, credentials that are readable."""

from typing import Any

from packages.preflight.objects import dig, items, mapping, text, texts
from packages.preflight.pods import Container, Workload
from packages.preflight.registry import Hit, Hits, Severity, rule, warning_unless
from packages.preflight.rendering import Rendering

ENFORCE = "pod-security.kubernetes.io/enforce"
_LOOSE = (
    ("privileged", True, "it is root on the node", "remove it"),
    ("allowPrivilegeEscalation", True, "a set-uid program makes it root", "set it to false"),
    ("runAsUser", 0, "it runs as root", "set runAsUser: 1001"),
    ("runAsNonRoot", False, "an image that runs as root is not refused", "set it to true"),
)
_RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


def _severity(rendering: Rendering, workload: Workload) -> Severity:
    """Strangers may have their reasons, if their namespace allows it."""
    is_refused = rendering.namespace_labels(workload.namespace).get(ENFORCE) == "restricted"
    return "error" if is_refused or rendering.is_ours(workload) else "warning"


def _context(workload: Workload, container: Container) -> dict[str, Any]:
    return {**mapping(workload.spec, "securityContext"), **mapping(container.data, "securityContext")}


@rule("M600", "containers")
def security_context_that_is_loosened_on_purpose(
    rendering: Rendering, workload: Workload, container: Container
) -> Hits:
    context = _context(workload, container)
    # Agents of nodes, and containers that prepare volumes, have their reasons.
    severity = warning_unless(rendering.is_ours(workload) or not (container.is_init or workload.kind == "DaemonSet"))
    for key, value, why, cure in _LOOSE:
        if context.get(key) is value:
            yield Hit(f"{key} is {str(value).lower()}", cure, why, severity)
    if text(context, "seccompProfile", "type") == "Unconfined":
        yield Hit("seccompProfile is Unconfined", "set type: RuntimeDefault", "every system call is open to it")


@rule("M601", "containers")
def security_context_that_is_not_restricted(rendering: Rendering, workload: Workload, container: Container) -> Hits:
    context, severity = _context(workload, container), _severity(rendering, workload)
    for is_missing, what, why, cure in (
        (context.get("allowPrivilegeEscalation") is None, "allowPrivilegeEscalation is not false",
         "a set-uid program makes it root", "set allowPrivilegeEscalation: false"),
        ("ALL" not in [each.upper() for each in texts(context, "capabilities", "drop")], "capabilities are not dropped",
         "it keeps chown, net_raw, setuid and more", "set capabilities.drop: [ALL]"),
        (set(texts(context, "capabilities", "add")) - {"NET_BIND_SERVICE"}, "adds capabilities",
         "Pod Security `restricted` refuses it", "remove them"),
        (any(port.get("hostPort") for port in container.ports), "opens a hostPort",
         "it takes the node's port, past every network policy", "use a Service"),
        (context.get("runAsNonRoot") is None, "runAsNonRoot is not true",
         "an image that runs as root is not refused", "set runAsNonRoot: true"),
        (not dig(context, "seccompProfile", "type"), "seccompProfile is not RuntimeDefault",
         "every system call of the kernel is open to it", "set seccompProfile.type: RuntimeDefault"),
    ):  # fmt: skip
        if is_missing:
            yield Hit(what, cure, why, severity)
    if context.get("readOnlyRootFilesystem") is not True:  # not part of Pod Security
        cure, why = "set it, and mount an emptyDir at /tmp", "an intruder can change the code that runs"
        yield Hit("readOnlyRootFilesystem is not true", cure, why, warning_unless(rendering.is_ours(workload)))


@rule("M602", "workloads")
def pod_that_shares_the_namespaces_or_files_of_its_node(rendering: Rendering, workload: Workload) -> Hits:
    severity = _severity(rendering, workload)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if workload.spec.get(key) is True:
            yield Hit(f"{key} is true", "remove it", "it sees the node's own, past every network policy", severity)
    for volume in items(workload.spec, "volumes"):
        if kinds := set(volume) - {"name"} - _RESTRICTED_VOLUMES:
            what, why = (
                f"volume {text(volume, 'name')} is a {', '.join(sorted(kinds))}",
                "it reaches past its container",
            )
            yield Hit(what, "use an emptyDir or a claim", why, severity)


@rule("M603", "workloads", why="Kubernetes sets REDIS_PORT=tcp://… in it", cure="set enableServiceLinks: false")
def variables_of_services_that_read_as_settings_of_ours(rendering: Rendering, workload: Workload) -> Hits:
    has_redis = rendering.find("Service", "redis", workload.namespace) and workload.ports  # bitnami/charts#2828
    is_ours = rendering.is_ours(workload)
    if is_ours and has_redis and workload.spec.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false"
