"""Loosened security contexts, and what a pod shares with its node."""

from packages.preflight.objects import dig, items, mapping, text, texts
from packages.preflight.pods import Container, Workload
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering

ENFORCE = "pod-security.kubernetes.io/enforce"
_LOOSE = (  # the field, the value that loosens it, whether its absence does too, why, cure
    ("privileged", True, False, "it is root on the node", "remove it"),
    ("runAsUser", 0, False, "it runs as root", "set runAsUser: 1001"),
    ("allowPrivilegeEscalation", True, True, "a set-uid program makes it root", "set it to false"),
    ("runAsNonRoot", False, True, "an image that runs as root is not refused", "set it to true"),
    ("seccompProfile.type", "Unconfined", True, "every system call is open to it", "set it to RuntimeDefault"),
)
_RESTRICTED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


def _is_restricted(rendering: Rendering, workload: Workload) -> bool:
    """Whether Pod Security refuses it, or it is ours. Workloads of others may have their reasons."""
    is_refused = rendering.namespace_labels(workload.namespace).get(ENFORCE) == "restricted"
    return is_refused or rendering.is_ours(workload)


@rule("M600", "containers")
def security_context_that_is_loosened(rendering: Rendering, container: Container) -> Hits:
    workload = container.workload
    context = {**mapping(workload.spec, "securityContext"), **mapping(container.data, "securityContext")}
    is_restricted, is_ours = _is_restricted(rendering, workload), rendering.is_ours(workload)
    # Agents of nodes, and containers that prepare volumes, have their reasons.
    is_certain = not (container.is_init or workload.kind == "DaemonSet")
    for field, loose, is_loose_unset, why, cure in _LOOSE:
        value = dig(context, *field.split("."))
        if (value, type(value)) == (loose, type(loose)):
            shown = value if isinstance(value, str) else str(value).lower()
            yield Hit(f"{field} is {shown}", cure, why, is_certain)
        elif value is None and is_loose_unset and is_restricted:
            yield Hit(f"{field} is not set", cure, why)
    if is_ours and context.get("readOnlyRootFilesystem") is not True:
        cure, why = "set it, and mount an emptyDir at /tmp", "an intruder can change the code that runs"
        yield Hit("readOnlyRootFilesystem is not true", cure, why)
    if is_restricted:
        yield from _beyond_restricted(container, mapping(context, "capabilities"))


def _beyond_restricted(container: Container, capabilities: dict[str, object]) -> Hits:
    if "ALL" not in [each.upper() for each in texts(capabilities, "drop")]:
        why = "it keeps chown, net_raw, setuid and more"
        yield Hit("capabilities are not dropped", "set capabilities.drop: [ALL]", why)
    if set(texts(capabilities, "add")) - {"NET_BIND_SERVICE"}:
        yield Hit("adds capabilities", "remove them", "Pod Security `restricted` refuses it")
    if any(port.get("hostPort") for port in container.ports):
        yield Hit("opens a hostPort", "use a Service", "it takes the node's port, past every network policy")


@rule("M602", "workloads")
def pod_that_shares_the_namespaces_or_files_of_its_node(rendering: Rendering, workload: Workload) -> Hits:
    is_certain = _is_restricted(rendering, workload)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if workload.spec.get(key) is True:
            yield Hit(f"{key} is true", "remove it", "it sees the node's own, past every network policy", is_certain)
    for volume in items(workload.spec, "volumes"):
        if kinds := set(volume) - {"name"} - _RESTRICTED_VOLUMES:
            what = f"volume {text(volume, 'name')} is a {', '.join(sorted(kinds))}"
            yield Hit(what, "use an emptyDir or a claim", "it reaches past its container", is_certain)


@rule("M603", "workloads", why="Kubernetes sets REDIS_PORT=tcp://… in it", cure="set enableServiceLinks: false")
def variables_of_services_that_read_as_settings_of_ours(rendering: Rendering, workload: Workload) -> Hits:
    has_redis = rendering.find("Service", "redis", workload.namespace) and workload.ports  # bitnami/charts#2828
    is_ours = rendering.is_ours(workload)
    if is_ours and has_redis and workload.spec.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false"
