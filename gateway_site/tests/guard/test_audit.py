"""One audit line for each write: caller, method, resource, address, result, request ID."""

import asyncio
from pathlib import Path

import pytest

from common.http.response import RawResponse
from gateway_site.guard import audit
from gateway_site.tests.guard.conftest import Keys
from gateway_site.tests.guard.issuer import token
from tests.in_process import built, call, request
from tests.log_lines import access_lines, lines, waited_for
from tests.recording import OK, Recording
from tests.serving import Served, logged
from tests.wire import exchange, get

USER = "01900000-0000-7000-8000-000000000000"
PATH = f"/api/users/{USER}"
CREATED = f"HTTP/1.1 201 Created\r\nLocation: {PATH}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
Outcome = tuple[str | None, int, str]
"""Principal, status, result."""
BUSY = b"HTTP/1.1 503 Busy\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("credential", "method", "answer", "expected"),
    [
        ("X-API-Key: {writer}", "PUT", OK, ("key:writer", 200, "done")),
        ("X-API-Key: {writer}", "PATCH", OK, ("key:writer", 200, "done")),
        ("X-API-Key: {writer}", "DELETE", OK, ("key:writer", 200, "done")),
        ("Authorization: Bearer {token}", "POST", CREATED, ("jwt:ana", 201, "done")),
        ("X-API-Key: {reader}", "DELETE", OK, ("key:reader", 403, "refused")),
        ("X-API-Key: wrong", "DELETE", OK, (None, 401, "refused")),
        ("X-API-Key: {writer}", "DELETE", b"nonsense\r\n\r\n", ("key:writer", 502, "unknown")),  # it may have happened
        ("X-API-Key: {writer}", "DELETE", BUSY, ("key:writer", 503, "unknown")),
    ],
)
def test_a_write_is_audited(
    guarded: Served, upstream: Recording, keys: Keys, credential: str, method: str, answer: bytes, expected: Outcome
) -> None:
    """The line of a creation names the new user."""
    upstream.default, request_id = answer, f"audit-{method}-{expected[1]}"
    given = credential.format(token=token(), reader=keys["reader"][0], writer=keys["writer"][0])
    path = "/api/users" if method == "POST" else PATH
    fields = ["Content-Type: application/json", "Content-Length: 0", f"X-Request-ID: {request_id}"]
    exchange(guarded.port, get(path, given, *fields, method=method), method)
    wanted = {"logger": "audit", "request_id": request_id}.items()
    (line,) = waited_for(guarded, lambda line: wanted <= line.items())
    assert (line["level"], line["remote_addr"]) == ("info", "127.0.0.1")
    assert (line["method"], line["resource"]) == (method, PATH)
    assert (line["principal"], line["status_code"], line["result"]) == expected


async def test_a_write_of_a_client_that_disconnects_is_unknown(upstream: Recording, keys: Keys, key_file: Path) -> None:
    """The server cancels the request's task, or says within the body that the client has gone."""
    with built(
        "gateway_site", USER_SERVICE_URL=upstream.url, AUTH="apikey", AUTH_API_KEYS_FILE=str(key_file)
    ) as gateway:
        upstream.freeze()
        credential = (b"x-api-key", keys["writer"][0].encode())
        with logged() as log:
            asking = asyncio.create_task(call(gateway, PATH, "DELETE", (credential,)))
            await asyncio.to_thread(upstream.next)
            asking.cancel()
            await asyncio.wait([asking])
            upstream.thaw()
            fields = (credential, (b"content-length", b"9"))
            assert (await call(gateway, PATH, "PUT", fields, (b"{",), breaks_off=True)).status == 0
        for stop in gateway.on_stop:
            await stop()
    audit = [line for line in log if line["logger"] == "audit"]
    assert [line["method"] for line in audit] == ["DELETE", "PUT"]
    for line in audit:
        found = (line["principal"], line["resource"], line["status_code"], line["result"])
        assert found == ("key:writer", PATH, 499, "unknown")


async def test_a_write_that_fails_in_the_gateway_is_unknown(caplog: pytest.LogCaptureFixture) -> None:
    async def answer() -> RawResponse:
        raise RuntimeError

    caplog.set_level("INFO", "audit")
    with pytest.raises(RuntimeError):
        await audit.recorded(request(), answer())
    fields = caplog.records[0].__dict__["fields"]
    assert (fields["status_code"], fields["result"]) == (500, "unknown")


def test_reading_is_not_audited(guarded: Served, upstream: Recording, keys: Keys) -> None:
    exchange(guarded.port, get("/api/users", f"X-API-Key: {keys['writer'][0]}", "X-Request-ID: quiet"))
    assert access_lines(guarded, "quiet")
    assert not [line for line in lines(guarded) if line["logger"] == "audit" and line.get("request_id") == "quiet"]
