"""One audit line for each write: caller, action, user, address, result, request ID."""

import asyncio
from pathlib import Path

import pytest

from gateway_site.tests.guard.conftest import Keys
from gateway_site.tests.guard.issuer import token
from tests.in_process import built, call
from tests.log_lines import Line, access_lines, lines, waited_for
from tests.recording import Recording
from tests.serving import Served, logged
from tests.wire import exchange, get

USER = "01900000-0000-7000-8000-000000000000"
FIELDS = {"action", "principal", "user_id", "remote_addr", "status_code", "result", "request_id"}


def audited(gateway: Served, request_id: str) -> list[Line]:
    return waited_for(gateway, lambda line: line["logger"] == "audit" and line.get("request_id") == request_id)


def write(gateway: Served, method: str, path: str, credential: str, request_id: str) -> Line:
    fields = ["Content-Type: application/json", "Content-Length: 0", f"X-Request-ID: {request_id}"]
    exchange(gateway.port, get(path, credential, *fields, method=method), method)
    (line,) = audited(gateway, request_id)
    assert set(line) >= FIELDS
    assert (line["level"], line["remote_addr"]) == ("info", "127.0.0.1")
    return line


@pytest.mark.parametrize(
    ("method", "action"), [("PUT", "replace_user"), ("PATCH", "update_user"), ("DELETE", "delete_user")]
)
def test_a_change_names_caller_and_user(
    guarded: Served, upstream: Recording, keys: Keys, method: str, action: str
) -> None:
    line = write(guarded, method, f"/api/users/{USER}", f"X-API-Key: {keys['writer'][0]}", f"audit-{method}")
    assert (line["action"], line["principal"], line["user_id"]) == (action, "key:writer", USER)
    assert (line["status_code"], line["result"]) == (200, "done")


def test_a_creation_names_the_new_user(guarded: Served, upstream: Recording) -> None:
    upstream.default = f"HTTP/1.1 201 Created\r\nLocation: /api/users/{USER}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    line = write(guarded, "POST", "/api/users", f"Authorization: Bearer {token()}", "audit-create")
    assert (line["action"], line["principal"], line["user_id"]) == ("create_user", "jwt:ana", USER)
    assert (line["status_code"], line["result"]) == (201, "done")


def test_a_refused_write_is_audited_too(guarded: Served, keys: Keys) -> None:
    line = write(guarded, "DELETE", f"/api/users/{USER}", f"X-API-Key: {keys['reader'][0]}", "audit-403")
    assert (line["principal"], line["status_code"], line["result"]) == ("key:reader", 403, "refused")
    line = write(guarded, "DELETE", f"/api/users/{USER}", "X-API-Key: wrong", "audit-401")
    assert (line["principal"], line["status_code"], line["result"]) == (None, 401, "refused")


def test_a_write_whose_answer_was_lost_is_unknown(guarded: Served, upstream: Recording, keys: Keys) -> None:
    upstream.default = b"nonsense\r\n\r\n"
    line = write(guarded, "DELETE", f"/api/users/{USER}", f"X-API-Key: {keys['writer'][0]}", "audit-502")
    assert (line["status_code"], line["result"]) == (502, "unknown")


async def test_a_write_of_a_client_that_disconnects_is_unknown(upstream: Recording, keys: Keys, key_file: Path) -> None:
    """The server cancels the request's task."""
    with built(
        "gateway_site", USER_SERVICE_URL=upstream.url, AUTH="apikey", AUTH_API_KEYS_FILE=str(key_file)
    ) as gateway:
        upstream.pause()
        credential = (b"x-api-key", keys["writer"][0].encode())
        with logged() as log:
            asking = asyncio.create_task(call(gateway, f"/api/users/{USER}", "DELETE", (credential,)))
            await asyncio.to_thread(upstream.next)
            asking.cancel()
            await asyncio.wait([asking])
        upstream.resume()
        for stop in gateway.on_stop:
            await stop()
    (line,) = [line for line in log if line["logger"] == "audit"]
    assert (line["principal"], line["user_id"], line["status_code"], line["result"]) == (
        "key:writer",
        USER,
        499,
        "unknown",
    )


def test_reading_is_not_audited(guarded: Served, upstream: Recording, keys: Keys) -> None:
    exchange(guarded.port, get("/api/users", f"X-API-Key: {keys['writer'][0]}", "X-Request-ID: quiet"))
    assert access_lines(guarded, "quiet")
    assert not [line for line in lines(guarded) if line["logger"] == "audit" and line.get("request_id") == "quiet"]
