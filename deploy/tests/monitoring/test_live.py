"""One real incident: the user service is stopped and started, then the store.

Prometheus detects it, Alertmanager sends it, and every panel of every dashboard has data.
"""

import json
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.tests.monitoring import prometheus
from deploy.tests.monitoring.rule_files import DASHBOARDS, known_metrics
from deploy.tests.monitoring.stage import Stage, stage

pytestmark = [
    pytest.mark.verify,
    pytest.mark.program("prometheus", "prometheus-alertmanager", "amtool", "prometheus-redis-exporter"),
    pytest.mark.timeout(300),
]
CALM_SECONDS = 6
PANELS = [
    pytest.param(target["expr"], id=f"{path.stem}: {panel['title']} {target['refId']}")
    for path in DASHBOARDS
    for panel in json.loads(path.read_text())["panels"]
    for target in panel["targets"]
]


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stage")) as running:
        seen = running.webhook.has
        time.sleep(CALM_SECONDS)
        running.times["calm"] = time.time()
        running.calm = list(running.webhook.received)
        running.users.stop()
        running.wait("ServiceDown", lambda: seen("firing", "critical", alertname="ServiceDown"))
        running.wait("CircuitOpen", lambda: seen("firing", "critical", alertname="CircuitOpen"))
        deadline = time.monotonic() + 10
        while "TargetDown" not in running.explained and time.monotonic() < deadline:
            running.explained |= running.inhibited()
        running.users.start()
        running.users.wait_until_live()
        running.wait("ServiceDown resolved", lambda: seen("resolved", "critical", alertname="ServiceDown"))
        running.wait("CircuitOpen resolved", lambda: seen("resolved", "critical", alertname="CircuitOpen"))
        running.store.kill()
        running.wait("RedisDown", lambda: seen("firing", "critical", alertname="RedisDown"))
        running.store.start()
        running.wait("RedisDown resolved", lambda: seen("resolved", "critical", alertname="RedisDown"))
        time.sleep(CALM_SECONDS)
        yield running


def test_no_alert_is_sent_while_all_is_well(incident: Stage) -> None:
    assert incident.calm == []


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_the_stopped_service_is_named_and_the_other_is_not(incident: Stage, status: str) -> None:
    assert incident.webhook.has(status, "critical", alertname="ServiceDown", service="user-service")
    assert not incident.webhook.has(status, "critical", alertname="ServiceDown", service="api-gateway")


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_the_gateways_open_circuit_is_sent_with_its_upstream(incident: Stage, status: str) -> None:
    assert incident.webhook.has(status, "critical", alertname="CircuitOpen", service="user-service")


def test_what_the_dead_service_explains_is_not_said_as_well(incident: Stage) -> None:
    assert "TargetDown" in incident.explained
    assert "ServiceDown" not in incident.explained


def test_a_dead_store_does_not_alert_for_the_service(incident: Stage) -> None:
    named = [labels["alertname"] for status, _, labels in incident.webhook.received if status == "firing"]
    assert named.count("ServiceDown") == 1
    assert "RedisDown" in named[named.index("ServiceDown") :]


def series(incident: Stage, query: str) -> list[dict[str, Any]]:
    start, end = incident.times["calm"] - CALM_SECONDS, time.time()
    query = query.replace("$namespace", ".*").replace("$service", "api-gateway|user-service")
    found = prometheus.get(incident.observer.url, "query_range", query=query, start=start, end=end, step=1)
    return list(found["result"])


@pytest.mark.parametrize("query", PANELS)
def test_every_panel_has_data(incident: Stage, query: str) -> None:
    assert any(math.isfinite(float(value)) for each in series(incident, query) for _, value in each["values"])


def test_a_deploy_is_marked(incident: Stage) -> None:
    found = series(incident, "service_version_revision:deploys")
    assert {each["metric"]["service"] for each in found} == {"api-gateway", "user-service"}


def test_no_rule_fails_to_evaluate(incident: Stage) -> None:
    groups: list[dict[str, Any]] = prometheus.get(incident.observer.url, "rules")["groups"]
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule["health"] != "ok"] == []


def test_the_services_export_every_metric_that_the_readme_says_they_do(incident: Stage) -> None:
    exported = set(prometheus.get(incident.observer.url, "label/__name__/values"))
    elsewhere = ("kube_", "certmanager_", "redis_master_link_up", "rate_limit_store_up")  # here limits are local
    assert {name for name in known_metrics() if not name.startswith(elsewhere)} <= exported
