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
from packages.preflight.pods import Workload

pytestmark = pytest.mark.verify
FILE = MONITORING / "prometheus-pods.yaml"


def found_by_kubernetes(pods: Workload) -> list[dict[str, Any]]:
    """The labels that pod discovery gives to these pods: a target for each port of each container."""
    meta = {
        "namespace": pods.namespace,
        "pod_name": f"{pods.name}-0",
        "pod_phase": "Running",
        **{f"pod_label_{plain(name)}": value for name, value in pods.labels.items()},
        **{f"pod_annotation_{plain(name)}": value for name, value in pods.annotations.items()},
    }
    labels = {f"__meta_kubernetes_{name}": value for name, value in meta.items()}
    number = "__meta_kubernetes_pod_container_port_number"
    ports = [str(port["containerPort"]) for port in pods.ports]
    return [{"targets": [f"10.0.0.1:{port}"], "labels": {**labels, number: port}} for port in ports]


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
    targets = [target for pods in load("prod", ("monitoring",)).workloads for target in found_by_kubernetes(pods)]
    assert len(targets) > 3, "redis and its exporter have ports too"
    scraped = {
        (labels["service"], labels["__address__"], labels["__metrics_path__"], labels["namespace"])
        for labels in discovered(tmp_path, targets)
    }
    assert scraped == {
        ("api-gateway", "10.0.0.1:3000", "/metrics", "devops-challenge-prod"),
        ("user-service", "10.0.0.1:3001", "/metrics", "devops-challenge-prod"),
    }
