"""Prometheus and Alertmanager accept their configurations, as committed."""

import pytest

from deploy.tests.monitoring.rule_files import MONITORING, RULE_FILES, parsed
from deploy.tests.monitoring.test_rules import SEVERITIES
from deploy.tests.programs import run, succeeded


def test_prometheus_accepts_its_configuration_and_finds_every_rule_file() -> None:
    done = succeeded(run("promtool", "check", "config", MONITORING / "prometheus.yaml"))
    assert f"{len(RULE_FILES)} rule files found" in done.stdout


def test_alertmanager_accepts_its_configuration() -> None:
    succeeded(run("amtool", "check-config", MONITORING / "alertmanager.yaml"))


@pytest.mark.parametrize("severity", sorted(SEVERITIES))
def test_each_severity_has_a_receiver_of_its_name(severity: str) -> None:
    configuration = f"--config.file={MONITORING / 'alertmanager.yaml'}"
    done = run("amtool", "config", "routes", "test", configuration, f"severity={severity}")
    assert done.stdout.strip() == severity, done.stdout + done.stderr


@pytest.mark.parametrize(
    "job", parsed(MONITORING / "prometheus.yaml")["scrape_configs"], ids=lambda job: job["job_name"]
)
def test_each_target_carries_the_label_that_the_rules_group_by(job: dict) -> None:
    assert job["static_configs"][0]["labels"] == {"service": job["job_name"], "namespace": "devops-challenge-local"}


def test_the_services_own_service_label_survives_the_scrape() -> None:
    jobs = {job["job_name"]: job for job in parsed(MONITORING / "prometheus.yaml")["scrape_configs"]}
    assert jobs["api-gateway"]["honor_labels"] is True
    assert jobs["user-service"]["honor_labels"] is True
