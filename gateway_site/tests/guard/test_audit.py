"""One audit line for each write that was asked for: who, what, which user, from where, result, request ID."""

from pathlib import Path

import pytest

from gateway_site.tests.guard.conftest import Start
from gateway_site.tests.guard.issuer import token
from tools.testing.log_lines import Line, lines, waited_for
from tools.testing.recording import Recording, wait_for_close
from tools.testing.service import Service
from tools.testing.wire import connect, exchange, get

Keys = dict[str, tuple[str, str]]
USER = "01900000-0000-7000-8000-000000000000"
FIELDS = {"action", "principal", "user_id", "remote_addr", "status_code", "result", "request_id"}


def audited(gateway: Service, request_id: str) -> list[Line]:
    return waited_for(gateway, lambda line: line["logger"] == "audit" and line.get("request_id") == request_id)


def write(gateway: Service, method: str, path: str, credential: str, request_id: str) -> Line:
    """The one audit line of a write."""
    fields = ["Content-Type: application/json", "Content-Length: 0", f"X-Request-ID: {request_id}"]
    exchange(gateway.port, get(path, credential, *fields, method=method), method)
    (line,) = audited(gateway, request_id)
    assert set(line) >= FIELDS
    assert (line["level"], line["remote_addr"]) == ("info", "127.0.0.1")
    return line


@pytest.mark.parametrize(
    ("method", "action"), [("PUT", "replace_user"), ("PATCH", "update_user"), ("DELETE", "delete_user")]
)
def test_a_change_says_who_changed_whom(
    guarded: Service, upstream: Recording, keys: Keys, method: str, action: str
) -> None:
    line = write(guarded, method, f"/api/users/{USER}", f"X-API-Key: {keys['writer'][0]}", f"audit-{method}")
    assert (line["action"], line["principal"], line["user_id"]) == (action, "key:writer", USER)
    assert (line["status_code"], line["result"]) == (200, "done")


def test_a_creation_names_the_new_user(guarded: Service, upstream: Recording) -> None:
    upstream.default = f"HTTP/1.1 201 Created\r\nLocation: /api/users/{USER}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    line = write(guarded, "POST", "/api/users", f"Authorization: Bearer {token()}", "audit-create")
    assert (line["action"], line["principal"], line["user_id"]) == ("create_user", "jwt:ana", USER)
    assert (line["status_code"], line["result"]) == (201, "done")


def test_who_was_not_let_in_is_audited_too(guarded: Service, keys: Keys) -> None:
    line = write(guarded, "DELETE", f"/api/users/{USER}", f"X-API-Key: {keys['reader'][0]}", "audit-403")
    assert (line["principal"], line["status_code"], line["result"]) == ("key:reader", 403, "refused")
    line = write(guarded, "DELETE", f"/api/users/{USER}", "X-API-Key: wrong", "audit-401")
    assert (line["principal"], line["status_code"], line["result"]) == (None, 401, "refused")


def test_a_write_whose_answer_was_lost_is_unknown(guarded: Service, upstream: Recording, keys: Keys) -> None:
    upstream.default = b"nonsense\r\n\r\n"
    line = write(guarded, "DELETE", f"/api/users/{USER}", f"X-API-Key: {keys['writer'][0]}", "audit-502")
    assert (line["status_code"], line["result"]) == (502, "unknown")


def test_a_client_that_leaves_does_not_leave_the_audit(guarded: Service, upstream: Recording, keys: Keys) -> None:
    upstream.default = wait_for_close
    with connect(guarded.port) as connection:
        fields = [f"X-API-Key: {keys['writer'][0]}", "X-Request-ID: audit-gone"]
        connection.sendall(get(f"/api/users/{USER}", *fields, method="DELETE"))
        upstream.next()
    (line,) = audited(guarded, "audit-gone")
    assert (line["principal"], line["user_id"], line["status_code"], line["result"]) == (
        "key:writer",
        USER,
        499,
        "unknown",
    )


def test_reading_is_not_audited_and_no_log_level_silences_it(
    start: Start, upstream: Recording, keys: Keys, key_file: Path
) -> None:
    with start(AUTH="apikey", AUTH_API_KEYS_FILE=str(key_file), LOG_LEVEL="error") as gateway:
        credential = f"X-API-Key: {keys['writer'][0]}"
        exchange(gateway.port, get("/api/users", credential, "X-Request-ID: quiet"))
        assert write(gateway, "PUT", f"/api/users/{USER}", credential, "loud")["result"] == "done"
        assert [line["logger"] for line in lines(gateway)] == ["start", "audit"]
