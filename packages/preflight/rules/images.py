"""Images that change under a running deployment, or are not the ones meant."""

import re

from packages.preflight.objects import text
from packages.preflight.pods import Container, Workload
from packages.preflight.registry import Hit, Hits, rule, warning_unless
from packages.preflight.rendering import Rendering
from packages.preflight.services import Process

_MOVING = re.compile(
    r"(?i)latest|stable|edge|nightly|main|master|develop|dev|staging|prod|production|local|v?\d+|alpine|slim|bookworm"
)
_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:]{2,45}\](:\d{1,5})?")
_COMPONENT = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


def _has_registry(image: str) -> bool:
    first, slash, _ = image.partition("/")
    return bool(slash) and (bool(set(".:") & set(first)) or first == "localhost")


@rule("M610", "containers", why="it stays in InvalidImageName", cure="write registry/name:tag")
def image_reference_that_no_runtime_parses(_: Rendering, __: Workload, container: Container) -> Hits:
    name, at, digest = container.image.partition("@")
    path, _slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    components = [*path.split("/"), last] if path else [last]
    domain = components.pop(0) if _has_registry(name) else "localhost"
    shown = f"image {container.image[:300] or 'nothing'}"
    if at and not _DIGEST.fullmatch(digest):
        yield f"{shown} has a malformed digest"
    elif not _DOMAIN.fullmatch(domain) or not all(
        len(each) < 256 and _COMPONENT.fullmatch(each) for each in components
    ):
        yield f"{shown} has a malformed name (lower-case letters, digits and . _ - alone)"
    elif colon and not _TAG.fullmatch(tag):
        yield f"{shown} has a malformed tag"


@rule("M611", "containers", why="two pods of one deployment may run different code, and a rollback may not roll back",
      cure="name a version, the commit's sha- tag, or a digest")  # fmt: skip
def image_by_a_moving_tag(rendering: Rendering, workload: Workload, container: Container) -> Hits:
    image, is_local = container.image, text(container.data, "imagePullPolicy") == "Never"
    tag = image.rpartition("/")[2].partition(":")[2]
    if image and "@" not in image and not is_local and (not tag or _MOVING.fullmatch(tag)):
        is_certain = tag in {"", "latest"} and workload.is_long_running and workload.kind != "Pod"
        what = f"image {image} has {'the moving tag ' + tag if tag else 'no tag, so latest'}"
        yield Hit(what, severity=warning_unless(is_certain or rendering.is_ours(workload)))


@rule("M612", "processes")
def image_that_is_not_the_one_meant(rendering: Rendering, process: Process) -> Hits:
    image, is_local = process.container.image, text(process.container.data, "imagePullPolicy") == "Never"
    if image and not is_local and not _has_registry(image):
        cure = "write it in full, like ghcr.io/owner/name:sha-abc1234, or set imagePullPolicy: Never"
        yield Hit(f"image {image} names no registry", cure, "the node looks for it at Docker Hub: ImagePullBackOff")
    if is_local and _has_registry(image) and not image.startswith("localhost"):
        why = "a node without it stays in ErrImageNeverPull"
        yield Hit(f"image {image} is never pulled", "set imagePullPolicy: IfNotPresent", why)
    for other in rendering.services:
        if other is not process.service and other.name in {process.container.name, process.workload.name}:
            what = f"container {process.container.name} runs the image of {process.service.name}"
            yield Hit(what, f"give it the image of {other.name}", f"no pod runs {other.name}")
