"""Writes dashboards/*.json for Grafana from panels.py: `python -m deploy.monitoring.build_dashboards`.

`--check` edits nothing and fails when they are stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

from deploy.monitoring.panels import ALL, DASHBOARDS, HERE, Panel

FOLDER = Path(__file__).resolve().parent / "dashboards"
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def laid_out(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """The panels as Grafana's JSON, left to right and top to bottom."""
    x = y = 0
    out: list[dict[str, Any]] = []
    for identifier, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + out[-1]["gridPos"]["h"]
        out.append(panel_json(identifier, panel, {"x": x, "y": y, "w": panel.width, "h": panel.height}))
        x += panel.width
    return out


def panel_json(identifier: int, panel: Panel, position: dict[str, int]) -> dict[str, Any]:
    """One panel of Grafana's dashboard schema."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    style = {"thresholdsStyle": {"mode": "line"}} if panel.limit is not None else {}
    return {
        "id": identifier,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": position,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "noValue": "nothing",
                "custom": style if panel.kind == "timeseries" else {},
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "targets": [
            {"refId": chr(65 + at), "datasource": DATASOURCE, "expr": query, "legendFormat": legend or "__auto"}
            for at, (query, legend) in enumerate(panel.queries)
        ],
    }


def variable(name: str, query: str, everything: str) -> dict[str, Any]:
    """A choice among a label's values, all of them at first."""
    return {
        "name": name,
        "type": "query",
        "datasource": DATASOURCE,
        "query": query,
        "refresh": 2,
        "includeAll": True,
        "allValue": everything,
        "multi": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def dashboard(uid: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """One dashboard, with a mark at every deploy."""
    deploys = {
        "name": "Deploys",
        "enable": True,
        "iconColor": "blue",
        "datasource": DATASOURCE,
        "expr": f"service_version_revision:deploys{{{HERE}}}",
        "step": "60s",
        "titleFormat": "{{service}} {{version}}",
        "textFormat": "revision {{revision}}",
    }
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        variable("namespace", "label_values(build_info, namespace)", ALL["namespace"]),
        variable("service", "label_values(build_info, service)", ALL["service"]),
    ]
    uses_service = any("$service" in query for panel in panels for query, _ in panel.queries)
    return {
        "uid": uid,
        "title": title,
        "tags": ["users-gateway"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "title": "users-gateway", "tags": ["users-gateway"], "keepTime": True}],
        "annotations": {"list": [deploys]},
        "templating": {"list": variables if uses_service else variables[:2]},
        "panels": laid_out(panels),
    }


def main() -> int:
    """Writes or checks; the exit code."""
    stale = []
    for uid, (title, panels) in DASHBOARDS.items():
        path = FOLDER / f"{uid}.json"
        text = json.dumps(dashboard(uid, title, panels), indent=2, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    if stale:
        sys.stderr.write(f"error: {', '.join(stale)} differ: run python -m deploy.monitoring.build_dashboards\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
