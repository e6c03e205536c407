"""Rules: mounts without their volume, volumes without their claim or file, claims that pods cannot share."""

from collections.abc import Iterator

from packages.preflight.keys import config_keys
from packages.preflight.objects import Rendering, dig, items, mapping, text, texts
from packages.preflight.pods import workloads
from packages.preflight.scaling import most_replicas
from packages.preflight.violation import Violation


def mounts(rendering: Rendering) -> Iterator[Violation]:
    """A volume mount without its volume; a volume whose claim is not there."""
    for workload in workloads(rendering):
        spec = workload.spec
        names = {text(volume, "name") for volume in items(spec, "volumes")}
        names |= {text(claim, "metadata", "name") for claim in items(workload.manifest.spec, "volumeClaimTemplates")}
        for container in workload.containers:
            for mount in items(container.data, "volumeMounts"):
                if text(mount, "name") not in names:
                    yield Violation(
                        str(workload),
                        f"container {container.name} mounts volume {text(mount, 'name')!r}, which is not there",
                        "the API server refuses it",
                        f"add the volume, or mount one of {', '.join(sorted(names)) or 'none'}",
                    )
        for volume in items(spec, "volumes"):
            claim = text(volume, "persistentVolumeClaim", "claimName")
            if claim and rendering.find("PersistentVolumeClaim", claim, workload.namespace) is None:
                yield Violation(
                    str(workload),
                    f"volume {text(volume, 'name')} wants PersistentVolumeClaim {claim!r}, which is not there",
                    "its pods stay Pending",
                    f"render {claim}, or correct the name",
                )


def shared_claims(rendering: Rendering) -> Iterator[Violation]:
    """A volume of one node under pods that may run on several."""
    for workload in workloads(rendering):
        for volume in items(workload.spec, "volumes"):
            claim = rendering.find(
                "PersistentVolumeClaim", text(volume, "persistentVolumeClaim", "claimName"), workload.namespace
            )
            modes = set(texts(claim.spec, "accessModes")) if claim else set()
            pods = most_replicas(rendering, workload)
            if modes and modes <= {"ReadWriteOnce", "ReadWriteOncePod"} and pods > 1:
                yield Violation(
                    str(workload),
                    f"up to {pods} pods share {claim}, which is {', '.join(sorted(modes))}",
                    "pods on another node stay in ContainerCreating: Multi-Attach error",
                    "make it a StatefulSet with volumeClaimTemplates, or claim ReadWriteMany",
                )


def sub_paths(rendering: Rendering) -> Iterator[Violation]:
    """A file mounted by subPath that its ConfigMap does not have."""
    for workload in workloads(rendering):
        volumes = {text(each, "name"): mapping(each, "configMap") for each in items(workload.spec, "volumes")}
        for container in workload.containers:
            for mount in items(container.data, "volumeMounts"):
                config, wanted = volumes.get(text(mount, "name")) or {}, text(mount, "subPath")
                keys = config_keys(rendering, text(config, "name"), workload.namespace) if config else None
                paths = {text(each, "path") for each in items(config, "items")} or keys
                if wanted and paths is not None and wanted not in paths:
                    yield Violation(
                        str(workload),
                        f"container {container.name} mounts subPath {wanted!r} of ConfigMap {text(config, 'name')}, "
                        f"which has {', '.join(sorted(paths)) or 'none'}",
                        "it gets an empty folder where a file should be",
                        "name a key that is there",
                    )


def secret_modes(rendering: Rendering) -> Iterator[Violation]:
    """Secret files that belong to root and that only root's group may read, in a pod that is neither."""
    for workload in workloads(rendering):
        context = mapping(workload.spec, "securityContext")
        if "fsGroup" in context or context.get("runAsUser", 1001) == 0 or context.get("runAsGroup", 1001) == 0:
            continue
        for volume in items(workload.spec, "volumes"):
            mode = dig(volume, "secret", "defaultMode")
            if isinstance(mode, int) and not mode & 0o004:
                yield Violation(
                    str(workload),
                    f"volume {text(volume, 'name')} has mode {mode:04o}, and the pod no fsGroup",
                    "its files are root's: the process may not read them",
                    "set securityContext.fsGroup to the pod's runAsGroup",
                )
