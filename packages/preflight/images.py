"""Rules: images that move under a running deployment, or are not the ones meant."""

import re
from collections.abc import Iterator

from packages.preflight.objects import Rendering, text
from packages.preflight.ours import processes, service_of
from packages.preflight.pods import workloads
from packages.preflight.services import SERVICES
from packages.preflight.violation import Violation

MOVING = re.compile(
    r"latest|stable|edge|nightly|main|master|develop|dev|staging|prod|production|local|v?\d+|alpine|slim|bookworm",
    re.IGNORECASE,
)
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def tags(rendering: Rendering) -> Iterator[Violation]:
    """A tag that means another image tomorrow; an image without a registry; a digest that is none."""
    for workload in workloads(rendering):
        for container in workload.containers:
            image, is_local = container.image, text(container.data, "imagePullPolicy") == "Never"
            where = f"image {image or 'nothing'} of container {container.name}"
            name, _, tag = image.split("@")[0].rpartition("/")[2].partition(":")
            if not image:
                yield Violation(
                    str(workload),
                    f"container {container.name} has no image",
                    "the API server refuses it",
                    "name an image",
                )
            elif "@" in image:
                if not DIGEST.search(image):
                    yield Violation(
                        str(workload),
                        f"{where} has a malformed digest",
                        "it stays in InvalidImageName",
                        "write @sha256: and 64 hexadecimal digits",
                    )
            elif not is_local and (not tag or MOVING.fullmatch(tag)):
                yield Violation(
                    str(workload),
                    f"{where} has {'the moving tag ' + tag if tag else 'no tag, so latest'}",
                    "two pods of one deployment may run different code, and a rollback rolls back nothing",
                    "name a version, the commit's sha- tag, or a digest",
                )
            if image and not is_local and not _has_registry(image) and service_of(container, workload):
                yield Violation(
                    str(workload),
                    f"{where} names no registry",
                    f"the node looks for {name} at Docker Hub: ImagePullBackOff",
                    "write it in full, like ghcr.io/owner/name:sha-abc1234, or set imagePullPolicy: Never",
                )


def _has_registry(image: str) -> bool:
    first = image.partition("/")[0]
    return "/" in image and ("." in first or ":" in first or first == "localhost")


def mixed_up(rendering: Rendering) -> Iterator[Violation]:
    """A container named for one of our services that runs the other's image."""
    for process in processes(rendering):
        for other in SERVICES:
            if other.name != process.service.name and other.name in {
                process.container.name,
                process.workload.manifest.name,
            }:
                yield Violation(
                    str(process),
                    f"container {process.container.name} runs the image of {process.service.name}",
                    f"{other.name} is not there, though all is green",
                    f"give it the image of {other.name}",
                )


def pull_policies(rendering: Rendering) -> Iterator[Violation]:
    """An image of a registry that no node may fetch."""
    for workload in workloads(rendering):
        for container in workload.containers:
            if (
                text(container.data, "imagePullPolicy") == "Never"
                and _has_registry(container.image)
                and not container.image.startswith("localhost/")
            ):
                yield Violation(
                    str(workload),
                    f"image {container.image} of container {container.name} is never pulled",
                    "a node that has not got it stays in ErrImageNeverPull",
                    "set imagePullPolicy: IfNotPresent",
                )
