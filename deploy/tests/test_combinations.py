"""Every overlay, with every component and with several: it renders, and nothing is found in it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.combinations import OVERLAYS, Combination, combinations_of_components, components, name
from deploy.tests.conftest import Load, Render
from packages.preflight import check, render

pytestmark = pytest.mark.slow


def case(combination: Combination) -> Any:
    """`make verify` has the single components of dev and staging: prod's, and all of them at once, find most faults."""
    overlay, added = combination
    is_single = added and len(added) < 3
    marks = [pytest.mark.verify] if is_single and overlay != "prod" else []
    return pytest.param(combination, marks=marks, id=name(combination))


@pytest.mark.parametrize("combination", [*map(case, combinations_of_components())])
def test_nothing_is_found(load: Load, combination: Combination):
    overlay, added = combination
    assert check(load(overlay, added)) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_rendering_twice_gives_the_same_bytes(rendered: Render, tree: Path, overlay: str):
    assert render(tree / "overlays" / overlay) == rendered(overlay)


@pytest.mark.parametrize(
    ("service", "file"), [("api-gateway", "gateway"), ("user-service", "users"), ("redis", "redis")]
)
def test_changed_setting_changes_the_pod_template(tmp_path: Path, tree: Path, load: Load, service: str, file: str):
    copy = shutil.copytree(tree, tmp_path / "kustomize")
    setting = copy / "base" / file / ("redis.conf" if file == "redis" else "settings.env")
    changed = (
        setting.read_text(encoding="utf-8").replace("=65536", "=1024").replace("maxclients 1000", "maxclients 100")
    )
    setting.write_text(changed, encoding="utf-8")
    rendering = yaml.safe_load_all(render(copy / "overlays" / "prod"))
    after = {(each["kind"], each["metadata"]["name"]): each for each in rendering}
    for before in load("prod").of("Deployment", "StatefulSet"):
        is_changed = after[before.kind, before.name]["spec"]["template"] != before.spec["template"]
        assert is_changed == (before.name == service), before.name


@pytest.mark.parametrize("component", components())
def test_component_has_a_readme_that_says_how_to_add_it(tree: Path, component: str):
    readme = (tree / "components" / component / "README.md").read_text(encoding="utf-8")
    assert f"../../components/{component}" in readme
