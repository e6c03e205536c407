"""The dashboards' files: parseable and without overlap. test_live.py sees that each panel has data."""

import copy
import json
from importlib import import_module
from typing import Any

import pytest

from deploy.tests.monitoring.rule_files import DASHBOARDS

pytestmark = pytest.mark.verify

LOADED = {path.stem: json.loads(path.read_text()) for path in DASHBOARDS}
by_dashboard = pytest.mark.parametrize("dashboard", LOADED.values(), ids=LOADED)


LEFT_TO_THE_DATA_SOURCE = {f"/annotations/list/0/{name}" for name in ("step", "titleFormat", "textFormat")}
"""Fields of an annotation that are Prometheus's, which Grafana's schema of a dashboard does not have."""


@by_dashboard
def test_grafanas_schema_has_every_field(dashboard: dict[str, Any]) -> None:
    assert set(unknown(dashboard, through_the_schema(dashboard))) <= LEFT_TO_THE_DATA_SOURCE


def test_a_field_unknown_to_grafana_is_found() -> None:
    broken = copy.deepcopy(next(iter(LOADED.values())))
    broken["panels"][0]["fieldConfig"]["nonsense"] = 1
    assert "/panels/0/fieldConfig/nonsense" in unknown(broken, through_the_schema(broken))


def through_the_schema(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard as parsed by the classes that Grafana generates from its schema."""
    model, encoder, plugins = (
        import_module(f"grafana_foundation_sdk.{name}") for name in ("models.dashboard", "cog.encoder", "cog.plugins")
    )
    plugins.register_default_plugins()
    found: dict[str, Any] = json.loads(encoder.JSONEncoder().encode(model.Dashboard.from_json(dashboard)))
    return found


def unknown(given: Any, kept: Any, path: str = "") -> list[str]:
    """The paths that are in one only, or differ."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return [
            each
            for key, value in given.items()
            for each in (unknown(value, kept[key], f"{path}/{key}") if key in kept else [f"{path}/{key}"])
        ]
    if isinstance(given, list) and isinstance(kept, list):
        pairs = enumerate(zip(given, kept, strict=True))
        return [each for number, (one, other) in pairs for each in unknown(one, other, f"{path}/{number}")]
    return [] if given == kept else [path]


@by_dashboard
def test_a_dashboard_is_found_under_its_file_name(dashboard: dict[str, Any]) -> None:
    assert LOADED[dashboard["uid"]] is dashboard


@by_dashboard
def test_panels_fill_the_grid_without_overlap(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not taken & cells
        taken |= cells


@by_dashboard
def test_every_variable_that_a_query_uses_is_declared(dashboard: dict[str, Any]) -> None:
    text = json.dumps(dashboard["panels"] + dashboard["annotations"]["list"])
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert {name for name in ("namespace", "service") if f"${name}" in text} | {"datasource"} == declared


def test_every_dashboard_marks_the_deploys() -> None:
    for dashboard in LOADED.values():
        assert any("service_version_revision:deploys" in mark["expr"] for mark in dashboard["annotations"]["list"])
