"""The built-in kinds, and the custom resources that may create objects."""

from packages.preflight.objects import Manifest

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
"""The kinds of every supported Kubernetes; `deploy/tests` compares them with the schemas of three versions."""

BETA = {
    "DeviceClass", "IPAddress", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice", "ServiceCIDR",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "VolumeAttributesClass",
}  # fmt: skip
"""Kinds that some clusters still serve in a beta version too."""

PASSIVE = {
    "bitnami.com", "cert-manager.io", "chaos-mesh.org", "cilium.io", "external-secrets.io", "gateway.envoyproxy.io",
    "gateway.networking.k8s.io", "keda.sh", "kyverno.io", "networking.istio.io", "policies.kyverno.io",
    "policy.sigstore.dev", "secrets.hashicorp.com", "security.istio.io", "snapshot.storage.k8s.io", "traefik.io",
    "AlertmanagerConfig", "AppProject", "PodMonitor", "Probe", "PrometheusRule", "Rollout", "ScrapeConfig", "ServiceMonitor",
}  # fmt: skip
"""Groups and kinds whose operators create no pods, or only those that this package handles."""

GROUPS: dict[str, set[str]] = {}
for _version, _names in BUILT_IN.items():
    GROUPS.setdefault(_version.rpartition("/")[0], set()).update(_names.split())


def may_make_objects(manifest: Manifest) -> bool:
    """Whether it is a custom resource whose operator may create pods, Services, Secrets and more."""
    is_custom = "." in manifest.group and manifest.group not in GROUPS
    return is_custom and not {manifest.group, manifest.kind} & PASSIVE


def deploys_anywhere(manifest: Manifest) -> bool:
    """Whether it deploys its own rendering, to any namespace."""
    return manifest.group.endswith("toolkit.fluxcd.io") or manifest.kind in {"Application", "ApplicationSet"}
