"""Images that change under a running deployment, or are wrong."""

import re

from packages.preflight.pods import Container
from packages.preflight.registry import Hit, Hits, rule
from packages.preflight.rendering import Rendering
from packages.preflight.services import Process

_MOVING = re.compile(
    r"(?i)latest|stable|edge|nightly|main|master|develop|dev|staging|prod|production|local|v?\d+|alpine|slim|bookworm"
)


@rule("M611", "containers", why="two pods of one deployment may run different code, and a rollback may not roll back",
      cure="name a version, the commit's sha- tag, or a digest")  # fmt: skip
def image_by_a_moving_tag(_: Rendering, container: Container) -> Hits:
    workload, image, tag = container.workload, container.image, container.image.rpartition("/")[2].partition(":")[2]
    if image and "@" not in image and not container.is_never_pulled and (not tag or _MOVING.fullmatch(tag)):
        is_certain = tag in {"", "latest"} and workload.is_long_running and workload.kind != "Pod"
        what = f"image {image} has {'the moving tag ' + tag if tag else 'no tag, so latest'}"
        yield Hit(what, is_certain=is_certain)


@rule("M612", "processes")
def image_that_is_not_the_one_meant(rendering: Rendering, process: Process) -> Hits:
    image, container = process.container.image, process.container
    first, slash, _ = image.partition("/")
    has_registry = slash and (set(".:") & set(first) or first == "localhost")
    if image and not container.is_never_pulled and not has_registry:
        cure = "write it in full, like ghcr.io/owner/name:sha-abc1234, or set imagePullPolicy: Never"
        yield Hit(f"image {image} names no registry", cure, "the node looks for it at Docker Hub: ImagePullBackOff")
    if container.is_never_pulled and has_registry and first != "localhost":
        why = "a node without it stays in ErrImageNeverPull"
        yield Hit(f"image {image} is never pulled", "set imagePullPolicy: IfNotPresent", why)
    for other in rendering.services:
        if other is not process.service and other.name in {container.name, process.workload.name}:
            what = f"container {container.name} runs the image of {process.service.name}"
            yield Hit(what, f"give it the image of {other.name}", f"no pod runs {other.name}")
