"""X-Request-ID: kept if valid, else generated; on every response."""

from uuid import UUID

import pytest
import requests

from tests.site import COLLECTION, UNKNOWN_USER
from tests.wire import exchange, get
from tools.processes.service import Service

VALID = ["a", "A-Z.a_z-09", "0" * 128, str(UUID(int=7))]
INVALID = ["", " ", "0" * 129, "two words", "a,b", "é", "a/b", "a\tb", "<script>"]


@pytest.mark.parametrize("given", VALID)
def test_a_valid_id_is_kept(site: Service, given: str) -> None:
    answer = exchange(site.port, get("/health/live", f"X-Request-ID: {given}"))
    assert answer.values("x-request-id") == [given]


@pytest.mark.parametrize("given", INVALID)
def test_an_invalid_id_is_replaced_by_a_uuid(site: Service, given: str) -> None:
    answer = exchange(site.port, get("/health/live", f"X-Request-ID: {given}"))
    (chosen,) = answer.values("x-request-id")
    assert str(UUID(chosen)) == chosen != given


def test_ids_of_two_requests_differ(site: Service) -> None:
    first, second = (requests.get(f"{site.url}/health/live", timeout=10) for _ in range(2))
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/health", "/health/ready", "/metrics", "/version", UNKNOWN_USER, f"{COLLECTION}?limit=0"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_it_is_on_every_answer_once(site: Service, path: str, method: str) -> None:
    answer = exchange(site.port, get(path, "X-Request-ID: mine", method=method), method)
    assert answer.values("x-request-id") == ["mine"]
    if "problem" in answer.values("content-type")[-1] and method != "HEAD":
        assert answer.json()["request_id"] == "mine"
