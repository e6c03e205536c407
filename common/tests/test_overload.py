"""MAX_IN_FLIGHT: further requests are shed with 503 and Retry-After; probes still answer."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from tests.metrics import sample
from tests.site import COLLECTION, OVERLOADED, UNKNOWN_USER
from tests.wire import connect, get
from tools.processes.cluster import until
from tools.processes.service import Service

IN_FLIGHT = "http_requests_in_flight"


@pytest.fixture
def full(held_up: Service) -> Iterator[Service]:
    """The patient site with three hanging requests, its maximum."""
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(connect(held_up.port)).sendall(get(UNKNOWN_USER))
        until(lambda: sample(held_up, IN_FLIGHT) == 4)  # the scrape itself is one
        yield held_up
    until(lambda: sample(held_up, IN_FLIGHT) == 1)


@pytest.mark.parametrize(("method", "path", "body"), [("GET", UNKNOWN_USER, b""), ("POST", COLLECTION, b"x" * 500_000)])
def test_one_more_is_shed_and_its_body_is_not_read(full: Service, method: str, path: str, body: bytes) -> None:
    answer = requests.request(method, full.url + path, data=body, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (503, OVERLOADED)
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("path", ["/health", "/health/live", "/metrics"])
def test_probes_answer(full: Service, path: str) -> None:
    assert requests.get(full.url + path, timeout=5).status_code == 200
