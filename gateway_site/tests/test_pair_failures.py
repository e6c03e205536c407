"""The pair while a dependency is down."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.log_lines import access_lines, waited_for
from tools.processes.service import Service, service
from tools.processes.store import Store, store

SECONDS = 10


@pytest.fixture
def own_pair(tmp_path: Path) -> Iterator[tuple[Store, Service, Service]]:
    """A store, a user service and a gateway that a test may break."""
    (tmp_path / "store").mkdir()
    with (
        store(tmp_path / "store") as running,
        service("users_site", tmp_path, REDIS_URL=running.url) as users,
        service("gateway_site", tmp_path, USER_SERVICE_URL=users.url, AUTH="none") as gateway,
    ):
        yield running, users, gateway


def cause(running: Service, request_id: str) -> tuple[str, str, str]:
    """Level, code and reason of a request's access line."""
    (line,) = access_lines(running, request_id)
    return line["level"], line["code"], line["reason"]


def test_each_service_reports_its_own_dependency(own_pair: tuple[Store, Service, Service]) -> None:
    running, users, gateway = own_pair
    running.kill()
    answer = requests.get(f"{gateway.url}/api/users", headers={"X-Request-ID": "lost-store"}, timeout=SECONDS)
    assert (answer.status_code, answer.json()["code"], answer.json()["instance"]) == (
        503,
        "store-unavailable",
        "/api/users",
    )
    assert int(answer.headers["retry-after"]) >= 1
    assert requests.get(f"{users.url}/health/ready", timeout=SECONDS).json()["dependencies"] == {"redis": "down"}
    ready = requests.get(f"{gateway.url}/health/ready", timeout=SECONDS)
    assert (ready.status_code, ready.json()["dependencies"]) == (200, {"user-service": "up"})

    assert cause(gateway, "lost-store") == ("error", "forwarded", "user-service answered 503")
    assert cause(users, "lost-store") in {
        ("error", "store-unavailable", f"redis: {why}") for why in ("refused", "closed")
    }
    (lost,) = waited_for(users, lambda line: line["message"] == "Redis is lost")
    assert lost["level"] == "warning"
