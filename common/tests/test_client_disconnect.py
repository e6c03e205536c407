"""A client that goes away: its work is cancelled, the access log says 499."""

import time

from tests.log_lines import access_lines
from tests.metrics import sample
from tests.site import COLLECTION, UNKNOWN_USER
from tests.wire import connect, get
from tools.processes.cluster import until
from tools.processes.service import Service


def test_its_request_is_cancelled(held_up: Service) -> None:
    with connect(held_up.port) as client:
        client.sendall(get(UNKNOWN_USER, "X-Request-ID: gone-while-it-waits"))
        until(lambda: sample(held_up, "http_requests_in_flight") == 2)  # the scrape itself is one
    until(lambda: sample(held_up, "http_requests_in_flight") == 1)
    (line,) = access_lines(held_up, "gone-while-it-waits")
    assert (line["status_code"], line["bytes_sent"]) == (499, 0)


def test_a_body_that_breaks_off_is_499_too(held_up: Service) -> None:
    head = get(
        COLLECTION,
        "Content-Type: application/json",
        "Content-Length: 100",
        "X-Request-ID: gone-within-its-body",
        method="POST",
    )
    with connect(held_up.port) as client:
        client.sendall(head + b'{"name":')
        time.sleep(0.2)
    (line,) = access_lines(held_up, "gone-within-its-body")
    assert (line["status_code"], line["level"]) == (499, "info")
