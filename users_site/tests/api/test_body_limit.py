"""Bodies above MAX_BODY_BYTES (65,536): 413 without reading the rest."""

from collections.abc import Iterator

import pytest

from users_site.tests.api.client import Users, faulty_fields, fresh_email, problem
from users_site.tests.api.raw import request, send

LIMIT = 65_536
HUGE = 10_000_000
JSON = {"Content-Type": "application/json"}


def padded(size: int) -> bytes:
    """A valid user, made this many bytes long by white space."""
    return f'{{"name":"Ada","email":"{fresh_email()}"}}'.encode().ljust(size)


def in_chunks(body: bytes, size: int = 5000) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def test_body_of_the_limit_is_accepted_and_one_byte_more_is_413(users: Users) -> None:
    assert users.post_bytes(padded(LIMIT)).status_code == 201
    problem(users.post_bytes(padded(LIMIT + 1)), 413, "body-too-large", "/users")


def test_chunked_body_of_the_limit_is_accepted_and_one_byte_more_is_413(users: Users) -> None:
    assert users.post_bytes(in_chunks(padded(LIMIT))).status_code == 201
    problem(users.post_bytes(in_chunks(padded(LIMIT + 1))), 413, "body-too-large", "/users")


def test_field_that_fills_the_body_is_400(users: Users) -> None:
    assert faulty_fields(users.post({"name": "a" * 65_000, "email": fresh_email()})) == {"name": "max_length"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_announced_body_is_refused_before_a_byte_of_it_came(users: Users, method: str) -> None:
    path = b"/users" if method == "POST" else b"/users/" + users.created()["id"].encode()
    answer = send(users.url, request(method, path, {**JSON, "Content-Length": str(HUGE)}), linger=5)
    assert (answer.status, answer.json["code"]) == (413, "body-too-large")
    assert answer.closed  # its next bytes would not be a request


def test_chunked_body_is_refused_while_the_rest_is_still_to_come(users: Users) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in in_chunks(b"x" * (LIMIT + 5000)))
    head = {**JSON, "Transfer-Encoding": "chunked"}
    answer = send(users.url, request("POST", b"/users", head, chunks), linger=5)
    assert (answer.status, answer.json["code"]) == (413, "body-too-large")
    assert answer.closed


def test_client_that_waits_for_100_continue_gets_413_at_once(users: Users) -> None:
    head = {**JSON, "Content-Length": str(HUGE), "Expect": "100-continue"}
    assert send(users.url, request("POST", b"/users", head)).status == 413


def test_client_that_sends_on_still_reads_its_answer(users: Users) -> None:
    for _ in range(10):
        problem(users.post_bytes(b"x" * HUGE), 413, "body-too-large")
        problem(users.post_bytes(b"x" * 10_000 for _ in range(1000)), 413, "body-too-large")


def test_length_that_no_number_holds_is_400_or_413(users: Users) -> None:
    for length in ("9" * 30, "-1", "+5", "0x10", "1e3", ""):
        answer = send(users.url, request("POST", b"/users", {**JSON, "Content-Length": length}))
        assert answer.status in {400, 413}, length
        assert answer.headers["content-type"] == "application/problem+json"
