"""MAX_BODY_BYTES: a larger body is 413, unread."""

import pytest
import requests

from tests.application import application
from tests.in_process import call
from tests.site import COLLECTION
from tests.wire import exchange, get
from tools.processes.service import Service

LIMIT = 1000
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("expect", [[], ["Expect: 100-continue"]], ids=str)
def test_a_body_above_the_limit_is_413_before_it_is_sent(patient: Service, expect: list[str]) -> None:
    head = get(COLLECTION, "Content-Type: application/json", "Content-Length: 1001", *expect, method="POST")
    answer = exchange(patient.port, head)
    assert (answer.status, answer.json()["code"], answer.json()["instance"]) == (413, "body-too-large", COLLECTION)
    assert answer.values("connection") == ["close"]


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("size", [LIMIT + 1, 70_000, 5_000_000])
def test_a_client_that_sends_it_all_the_same_reads_its_413(patient: Service, size: int, pieces: int) -> None:
    """In several pieces it is chunked, so its length is not announced."""
    body = b"x" * size if pieces == 1 else iter([b"x" * (size // 2), b"x" * (size - size // 2)])
    answer = requests.post(patient.url + COLLECTION, data=body, headers=JSON, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_a_body_of_the_limit_is_read(patient: Service) -> None:
    body = b'{"name":"%b"}' % (b"x" * (LIMIT - len('{"name":""}')))
    answer = requests.post(patient.url + COLLECTION, data=body, headers=JSON, timeout=10)
    assert len(body) == LIMIT
    assert answer.status_code != 413


async def test_a_body_in_pieces_is_joined() -> None:
    answer = await call(application(), "/echo", "POST", ((b"transfer-encoding", b"chunked"),), (b"one ", b"", b"body"))
    assert answer.body == b"one body"
