"""Writes deploy/monitoring as objects into deploy/kustomize/monitoring: python deploy/bin/monitoring_component.py

Kustomize creates no custom resource from a file, and reads no file outside its own folder. A test compares the files
with their sources.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[1]
FOLDER = DEPLOY / "kustomize/monitoring"
HEAD = "# Generated from deploy/monitoring by deploy/bin/monitoring_component.py: change it there.\n"


class Readable(yaml.SafeDumper):
    """Keeps expressions of several lines as written."""


Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _yaml(objects: Iterable[dict[str, Any]]) -> str:
    return HEAD + yaml.dump_all(objects, Dumper=Readable, sort_keys=False, width=120, allow_unicode=True)


def rules() -> str:
    """A PrometheusRule for each `*.rules.yaml`."""
    return _yaml(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"users-gateway-{file.name.removesuffix('.rules.yaml')}"},
            "spec": yaml.safe_load(file.read_text(encoding="utf-8")),
        }
        for file in sorted((DEPLOY / "monitoring/rules").glob("*.rules.yaml"))
    )


def dashboards() -> str:
    """A ConfigMap for each dashboard, labelled for Grafana's sidecar."""
    return _yaml(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"dashboard-{file.stem}", "labels": {"grafana_dashboard": "1"}},
            "data": {file.name: json.dumps(json.loads(file.read_text(encoding="utf-8")), separators=(",", ":"))},
        }
        for file in sorted((DEPLOY / "monitoring/dashboards").glob("*.json"))
    )


MADE = {"prometheus-rules.yaml": rules, "dashboards.yaml": dashboards}

if __name__ == "__main__":
    for name, make in MADE.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
