"""One audit line for each write: caller, method, resource, address, result, request ID."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from django.http import HttpResponse

from common.http.response import Response
from gateway_site.guard import audit
from gateway_site.tests.guard.conftest import Keys
from gateway_site.tests.guard.issuer import token
from tests.in_process import built, call, request
from tests.log_lines import Line, access_lines, lines, waited_for
from tests.recording import Recording
from tests.serving import Served, logged
from tests.wire import exchange, get

USER = "01900000-0000-7000-8000-000000000000"
PATH = f"/api/users/{USER}"
FIELDS = {"method", "resource", "principal", "remote_addr", "status_code", "result", "request_id"}


def audited(gateway: Served, request_id: str) -> list[Line]:
    return waited_for(gateway, lambda line: line["logger"] == "audit" and line.get("request_id") == request_id)


def write(gateway: Served, method: str, path: str, credential: str, request_id: str) -> Line:
    fields = ["Content-Type: application/json", "Content-Length: 0", f"X-Request-ID: {request_id}"]
    exchange(gateway.port, get(path, credential, *fields, method=method), method)
    (line,) = audited(gateway, request_id)
    assert set(line) >= FIELDS
    assert (line["level"], line["remote_addr"]) == ("info", "127.0.0.1")
    return line


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_names_caller_and_user(guarded: Served, upstream: Recording, keys: Keys, method: str) -> None:
    line = write(guarded, method, PATH, f"X-API-Key: {keys['writer'][0]}", f"audit-{method}")
    assert (line["method"], line["principal"], line["resource"]) == (method, "key:writer", PATH)
    assert (line["status_code"], line["result"]) == (200, "done")


def test_a_creation_names_the_new_user(guarded: Served, upstream: Recording) -> None:
    upstream.default = f"HTTP/1.1 201 Created\r\nLocation: /api/users/{USER}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    line = write(guarded, "POST", "/api/users", f"Authorization: Bearer {token()}", "audit-create")
    assert (line["method"], line["principal"], line["resource"]) == ("POST", "jwt:ana", PATH)
    assert (line["status_code"], line["result"]) == (201, "done")


def test_a_refused_write_is_audited_too(guarded: Served, keys: Keys) -> None:
    line = write(guarded, "DELETE", PATH, f"X-API-Key: {keys['reader'][0]}", "audit-403")
    assert (line["principal"], line["status_code"], line["result"]) == ("key:reader", 403, "refused")
    line = write(guarded, "DELETE", PATH, "X-API-Key: wrong", "audit-401")
    assert (line["principal"], line["status_code"], line["result"]) == (None, 401, "refused")


@pytest.mark.parametrize(
    ("answer", "status"), [(b"nonsense\r\n\r\n", 502), (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503)]
)
def test_a_write_that_may_have_happened_is_unknown(
    guarded: Served, upstream: Recording, keys: Keys, answer: bytes, status: int
) -> None:
    upstream.default = answer
    line = write(guarded, "DELETE", PATH, f"X-API-Key: {keys['writer'][0]}", f"audit-{status}")
    assert (line["status_code"], line["result"]) == (status, "unknown")


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


@pytest.mark.parametrize(("status", "result"), [(204, "done"), (500, "unknown")])
async def test_an_answer_of_django_and_an_error_of_ours_are_audited(
    caplog: pytest.LogCaptureFixture, status: int, result: str
) -> None:
    async def answer() -> Response:
        if status == 500:
            raise RuntimeError
        return HttpResponse(status=status)

    caplog.set_level("INFO", "audit")
    with suppress(RuntimeError):
        await audit.recorded(request(), answer())
    (record,) = caplog.records
    fields = record.__dict__["fields"]
    assert (record.message, fields["status_code"], fields["result"]) == ("write", status, result)


def test_reading_is_not_audited(guarded: Served, upstream: Recording, keys: Keys) -> None:
    exchange(guarded.port, get("/api/users", f"X-API-Key: {keys['writer'][0]}", "X-Request-ID: quiet"))
    assert access_lines(guarded, "quiet")
    assert not [line for line in lines(guarded) if line["logger"] == "audit" and line.get("request_id") == "quiet"]
