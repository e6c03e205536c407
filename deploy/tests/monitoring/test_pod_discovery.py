"""Without the operator: the targets that the scrape job for annotated pods makes of prod's pods.

Debian's Prometheus is built without Kubernetes discovery: the tests feed the discovered labels into the relabelling.
"""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.tests.conftest import Load
from deploy.tests.monitoring.rule_files import MONITORING, parsed
from deploy.tests.programs import run

pytestmark = pytest.mark.verify
FILE = MONITORING / "prometheus-pods.yaml"


def found_by_kubernetes(manifest: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
    """The labels that pod discovery gives to this workload: a target for each port of each container."""
    template = manifest["spec"]["template"]
    meta = {
        "namespace": namespace,
        "pod_name": f"{manifest['metadata']['name']}-0",
        "pod_phase": "Running",
        **{f"pod_label_{plain(name)}": value for name, value in template["metadata"]["labels"].items()},
        **{
            f"pod_annotation_{plain(name)}": value
            for name, value in template["metadata"].get("annotations", {}).items()
        },
    }
    ports = [port["containerPort"] for each in template["spec"]["containers"] for port in each.get("ports", ())]
    return [
        {
            "targets": [f"10.0.0.1:{port}"],
            "labels": {
                f"__meta_kubernetes_{name}": value
                for name, value in {**meta, "pod_container_port_number": str(port)}.items()
            },
        }
        for port in ports
    ]


def plain(name: str) -> str:
    """A name as Prometheus writes it in a meta label."""
    return re.sub(r"\W", "_", name)


def discovered(tmp_path: Path, targets: list[dict[str, Any]]) -> list[dict[str, str]]:
    config = copy.deepcopy(parsed(FILE))
    (job,) = config["scrape_configs"]
    del job["kubernetes_sd_configs"]
    job["static_configs"] = targets
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    file = tmp_path / "prometheus.yaml"
    done = run("promtool", "check", "service-discovery", "--timeout=3s", file, job["job_name"])
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [each["labels"] for each in found if each.get("labels")]


def test_each_service_is_scraped_once_under_the_label_that_the_rules_group_by(load: Load, tmp_path: Path) -> None:
    targets = []
    for manifest in load("prod", ("monitoring",)):
        if manifest.data["kind"] in {"Deployment", "StatefulSet"}:
            targets += found_by_kubernetes(manifest.data, manifest.data["metadata"]["namespace"])
    assert len(targets) > 3, "redis and its exporter have ports too"
    scraped = {
        (labels["service"], labels["__address__"], labels["__metrics_path__"], labels["namespace"])
        for labels in discovered(tmp_path, targets)
    }
    assert scraped == {
        ("api-gateway", "10.0.0.1:3000", "/metrics", "devops-challenge-prod"),
        ("user-service", "10.0.0.1:3001", "/metrics", "devops-challenge-prod"),
    }
