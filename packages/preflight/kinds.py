"""Rules: kinds that no cluster knows, names that collide or lead nowhere."""

from collections.abc import Iterator
from difflib import get_close_matches

from packages.preflight.objects import Manifest, Rendering, mapping, text
from packages.preflight.violation import Violation

BUILT_IN = {
    "v1": "Binding ConfigMap Endpoints Event LimitRange List Namespace Node PersistentVolume PersistentVolumeClaim Pod "
    "PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "batch/v1": "CronJob Job",
    "autoscaling/v1": "HorizontalPodAutoscaler",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "policy/v1": "PodDisruptionBudget",
    "networking.k8s.io/v1": "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "storage.k8s.io/v1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
    "scheduling.k8s.io/v1": "PriorityClass",
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration ValidatingAdmissionPolicy "
    "ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "flowcontrol.apiserver.k8s.io/v1": "FlowSchema PriorityLevelConfiguration",
    "node.k8s.io/v1": "RuntimeClass",
    "resource.k8s.io/v1": "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice",
}
"""What the API server of every supported Kubernetes serves; `deploy/tests` hold it against the schemas of three versions."""

CUSTOM = {
    "argoproj.io": "Application ApplicationSet AppProject Rollout AnalysisTemplate Workflow",
    "bitnami.com": "SealedSecret",
    "cert-manager.io": "Certificate CertificateRequest ClusterIssuer Issuer",
    "chaos-mesh.org": "DNSChaos HTTPChaos IOChaos NetworkChaos PodChaos Schedule StressChaos TimeChaos Workflow",
    "external-secrets.io": "ClusterExternalSecret ClusterSecretStore ExternalSecret PushSecret SecretStore",
    "gateway.envoyproxy.io": "BackendTrafficPolicy ClientTrafficPolicy EnvoyProxy SecurityPolicy",
    "gateway.networking.k8s.io": "BackendTLSPolicy GRPCRoute Gateway GatewayClass HTTPRoute ReferenceGrant TCPRoute "
    "TLSRoute UDPRoute",
    "keda.sh": "ClusterTriggerAuthentication ScaledJob ScaledObject TriggerAuthentication",
    "kyverno.io": "CleanupPolicy ClusterPolicy Policy PolicyException",
    "monitoring.coreos.com": "Alertmanager AlertmanagerConfig PodMonitor Probe Prometheus PrometheusRule "
    "ScrapeConfig ServiceMonitor",
    "policies.kyverno.io": "ImageValidatingPolicy MutatingPolicy ValidatingPolicy",
    "policy.sigstore.dev": "ClusterImagePolicy",
    "secrets.hashicorp.com": "VaultAuth VaultConnection VaultDynamicSecret VaultStaticSecret",
    "traefik.io": "IngressRoute Middleware",
}  # fmt: skip
"""Custom resources by group, of the operators that teams run most; any other needs its CustomResourceDefinition beside it."""

CLUSTER_WIDE = {
    "ClusterImagePolicy", "ClusterIssuer", "ClusterPolicy", "ClusterRole", "ClusterRoleBinding", "ClusterSecretStore",
    "CustomResourceDefinition", "GatewayClass", "ImageValidatingPolicy", "IngressClass", "Namespace", "PersistentVolume",
    "PriorityClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip


def unknown_kinds(rendering: Rendering) -> Iterator[Violation]:
    """A kind, or a version of it, that the API server has never heard of."""
    defined = {
        (text(crd.spec, "group"), text(crd.spec, "names", "kind")) for crd in rendering.of("CustomResourceDefinition")
    }
    kinds = {kind for names in (*BUILT_IN.values(), *CUSTOM.values()) for kind in names.split()} | {
        kind for _, kind in defined
    }
    for manifest in rendering:
        group = manifest.api_version.rpartition("/")[0]
        known = manifest.kind in CUSTOM.get(group, "").split() or (group, manifest.kind) in defined
        if known or manifest.kind in BUILT_IN.get(manifest.api_version, "").split():
            continue
        yield Violation(
            str(manifest),
            f"unknown kind {manifest.kind!r} in apiVersion {manifest.api_version!r}",
            "the API server refuses it (no matches for kind), and nothing that leans on it works",
            _nearest(manifest, kinds),
        )


def _nearest(manifest: Manifest, kinds: set[str]) -> str:
    versions = [version for version, names in BUILT_IN.items() if manifest.kind in names.split()]
    groups = [group for group, names in CUSTOM.items() if manifest.kind in names.split()]
    if versions or groups:
        return f"write apiVersion: {versions[-1] if versions else groups[0] + '/…'}"
    close = get_close_matches(manifest.kind, sorted(kinds), n=1)
    return f"write kind: {close[0]}" if close else "correct it, or render its CustomResourceDefinition too"


def corrected(rendering: Rendering) -> Rendering:
    """The rendering with each misspelt kind as it was meant: the nearest one of the same apiVersion."""
    manifests = []
    for manifest in rendering:
        names = BUILT_IN.get(manifest.api_version, "").split()
        close = [] if manifest.kind in names else get_close_matches(manifest.kind, names, n=1)
        manifests.append(Manifest({**manifest.data, "kind": close[0]}, manifest.source) if close else manifest)
    return Rendering(manifests)


def unnamed(rendering: Rendering) -> Iterator[Violation]:
    """An object without a name."""
    for manifest in rendering:
        if not manifest.name and not text(manifest.data, "metadata", "generateName"):
            yield Violation(str(manifest), "has no metadata.name", "the API server refuses it", "name it")


def duplicates(rendering: Rendering) -> Iterator[Violation]:
    """Two objects of one identity: the last one wins, silently."""
    seen: dict[tuple[str, ...], Manifest] = {}
    for manifest in rendering:
        group = manifest.api_version.rpartition("/")[0]
        identity = (group, manifest.kind, "" if manifest.kind in CLUSTER_WIDE else manifest.namespace, manifest.name)
        earlier = seen.setdefault(identity, manifest)
        if earlier is not manifest:
            yield Violation(
                str(manifest),
                f"is there twice in namespace {manifest.namespace!r}",
                "the later one overwrites the earlier",
                "rename or remove one",
            )


def lost_namespaces(rendering: Rendering) -> Iterator[Violation]:
    """An object in a namespace that nothing makes, in a rendering that makes namespaces: none given, or a misspelt one."""
    made = {manifest.name for manifest in rendering.of("Namespace")}
    for manifest in rendering:
        namespace = text(mapping(manifest.data, "metadata"), "namespace")
        # Another one altogether (kube-system, monitoring) is made elsewhere.
        is_lost = namespace in {"", "default"} or get_close_matches(namespace, made)
        if made and namespace not in made and is_lost and manifest.kind not in CLUSTER_WIDE:
            yield Violation(
                str(manifest),
                f"lies in namespace {namespace or 'default'!r}, the rendering makes {', '.join(sorted(made))}",
                "it is refused, or runs where none of its Services, policies and Secrets are",
                f"set its namespace to {min(made)}",
            )
