"""/health, /health/live, /health/ready, /version: their shapes, and their answers when a dependency is down or hangs."""

import platform
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import pytest
import requests

from common import __version__
from tests.site import DEPENDENCY, SITE, Dependency
from tools.processes.cluster import until
from tools.processes.service import Service

SERVICE = {"gateway_site": "api-gateway", "users_site": "user-service"}[SITE]


def test_health_shows_service_version_and_time(site: Service) -> None:
    answer = requests.get(f"{site.url}/health", timeout=10)
    body = answer.json()
    timestamp = body.pop("timestamp")
    assert answer.status_code == 200
    assert body == {"status": "healthy", "service": SERVICE, "version": __version__}
    assert timestamp.endswith("Z")
    assert datetime.now(UTC) - datetime.fromisoformat(timestamp) < timedelta(seconds=30)


VERSIONS = {
    "service": SERVICE,
    "version": __version__,
    "revision": "unknown",
    "python": platform.python_version(),
    "django": django.get_version(),
}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/health/live", {"status": "alive"}),
        ("/health/ready", {"status": "ready", "dependencies": {DEPENDENCY: "up"}}),
        ("/version", VERSIONS),
    ],
)
def test_the_others_show_what_the_contract_has(site: Service, path: str, body: dict[str, Any]) -> None:
    answer = requests.get(site.url + path, timeout=10)
    assert (answer.status_code, answer.json()) == (200, body)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")


def test_a_probe_may_be_asked_with_head(site: Service) -> None:
    answer = requests.head(f"{site.url}/health/ready", timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_not_ready_when_the_dependency_refuses(debug_site: Service) -> None:
    answer = requests.get(f"{debug_site.url}/health/ready", timeout=10)
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "dependencies": {DEPENDENCY: "down"}})
    assert requests.get(f"{debug_site.url}/health/live", timeout=10).status_code == 200


def test_not_ready_within_a_second_while_the_dependency_hangs(patient_site: tuple[Service, Dependency]) -> None:
    service, dependency = patient_site
    dependency.freeze()
    try:
        started = time.monotonic()
        answer = requests.get(f"{service.url}/health/ready", timeout=10)
        seconds = time.monotonic() - started
        assert (answer.status_code, answer.json()["dependencies"]) == (503, {DEPENDENCY: "down"})
        assert seconds < 4, "the contract has 1 s; the rest is for a noisy machine"
    finally:
        dependency.thaw()
    until(lambda: requests.get(f"{service.url}/health/ready", timeout=10).status_code == 200)
