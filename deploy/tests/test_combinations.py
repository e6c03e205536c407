"""Every overlay, with every component and with several: it renders, and nothing is found in it."""

import shutil
from pathlib import Path

import pytest
import yaml

from deploy.tests.combinations import OVERLAYS, Combination, cases, components
from deploy.tests.conftest import Load, Render
from packages.preflight import check, render

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("combination", cases())
def test_nothing_is_found(load: Load, combination: Combination):
    assert check(load(*combination)) == []


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
