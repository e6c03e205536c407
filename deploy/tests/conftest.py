"""What the tests of manifests share: kubectl, and renderings."""

import fcntl
import shutil
import zlib
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

import pytest
import yaml

from deploy.tests.programs import program
from gateway_site.management.own_services import own_services
from packages.preflight import Manifest, Rendering, render

DEPLOY = Path(__file__).resolve().parents[1]

Render = Callable[..., str]
Load = Callable[..., Rendering]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("program"):
        for name in mark.args:
            program(name)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/kustomize that tests may add overlays to."""
    copy = tmp_path_factory.mktemp("deploy") / "kustomize"
    shutil.copytree(DEPLOY / "kustomize", copy)
    shutil.copytree(DEPLOY / "monitoring", copy.parent / "monitoring")
    return copy


@pytest.fixture(scope="session")
def rendered(tree: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Render:
    """Renders an overlay, with components added the way their READMEs say: to the overlay's own list.

    A name with a slash is another folder of deploy.
    """
    program("kubectl")
    # The workers of a run share their renderings: each takes kubectl half a second.
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "rendered"
    shared.mkdir(exist_ok=True)

    def of(overlay: str, added: Collection[str] = ()) -> str:
        name = f"{overlay.replace('/', '-')}-{zlib.crc32(' '.join(added).encode())}"
        with (shared / f"{name}.yaml").open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            if text := file.read():
                return text
            file.write(text := render(folder(overlay, added, tree / "overlays" / name)))
        return text

    def folder(overlay: str, added: Collection[str], copy: Path) -> Path:
        if not added:
            return DEPLOY / overlay if "/" in overlay else tree / "overlays" / overlay
        shutil.copytree(tree / "overlays" / overlay, copy)
        kustomization = copy / "kustomization.yaml"
        data = yaml.safe_load(kustomization.read_text(encoding="utf-8"))
        there = data.setdefault("components", [])
        there += [path for each in added if (path := f"../../components/{each}") not in there]
        kustomization.write_text(yaml.safe_dump(data), encoding="utf-8")
        return copy

    return of


@pytest.fixture(scope="session")
def load(rendered: Render) -> Load:
    """Like `rendered`, as objects."""
    return lambda *overlay: objects(rendered(*overlay))


@cache
def objects(text: str) -> Rendering:
    """They are shared, so a test that changes them needs a copy."""
    documents = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return Rendering((Manifest(data, "rendered") for data in documents if data), own_services())
