"""The caller's name cannot be forged, and no secret passes the gateway."""

import pytest

from gateway_site.tests.guard.conftest import Keys
from gateway_site.tests.guard.issuer import token
from tests.log_lines import access_lines, lines
from tests.recording import Recording
from tests.serving import Served
from tests.wire import exchange, get

FORGED = [
    "X-Authenticated-Subject: jwt:root",
    "x-authenticated-subject: jwt:root",
    "X-AUTHENTICATED-SCOPES: users:read users:write",
    "X-Authenticated-Admin: true",
    "X_Authenticated_Subject: jwt:root",
    "X-Authenticated_Subject: jwt:root",
]


def identity(upstream: Recording) -> list[tuple[bytes, bytes]]:
    received = upstream.next().fields
    return [(name, value) for name, value in received if name.replace(b"_", b"-").startswith(b"x-authenticated")]


def test_a_client_cannot_set_its_name(guarded: Served, upstream: Recording, keys: Keys) -> None:
    """Without AUTH: common/tests/hostile/test_forged_headers.py."""
    exchange(guarded.port, get("/api/users", *FORGED, f"X-API-Key: {keys['reader'][0]}", *FORGED))
    assert identity(upstream) == [(b"x-authenticated-subject", b"key:reader")]


@pytest.mark.parametrize("named", ["X-Authenticated-Subject", "x-authenticated-subject, x-authenticated-scopes, close"])
def test_connection_cannot_remove_our_fields(guarded: Served, upstream: Recording, keys: Keys, named: str) -> None:
    exchange(guarded.port, get("/api/users", f"Connection: {named}", f"X-API-Key: {keys['reader'][0]}"))
    assert len(identity(upstream)) == 1


def test_a_client_cannot_set_its_name_in_a_trailer(guarded: Served, upstream: Recording, keys: Keys) -> None:
    """A trailer is a field too, and some servers add it to the others (RFC 9110 §6.5)."""
    fields = [f"X-API-Key: {keys['writer'][0]}", "Content-Type: application/json", "Transfer-Encoding: chunked"]
    head = get("/api/users", *fields, "Trailer: X-Authenticated-Subject", method="POST")
    exchange(guarded.port, head + b"2\r\n{}\r\n0\r\nX-Authenticated-Subject: jwt:root\r\n\r\n", "POST")
    received = upstream.next()
    assert received.values(b"x-authenticated-subject") == [b"key:writer"]
    assert b"root" not in received.body


def test_credentials_end_at_the_gateway(guarded: Served, upstream: Recording, keys: Keys) -> None:
    key, bearer = keys["reader"][0], "Authorization: Bearer {}"
    for fields in ([f"X-API-Key: {key}"], [bearer.format(key)], [bearer.format(token()), "Authorization-Info: 1"]):
        exchange(guarded.port, get("/api/users", *fields))
        received = upstream.next()
        assert not received.values(b"authorization") + received.values(b"x-api-key")


def test_without_auth_credentials_are_forwarded(upstream: Recording, open_gateway: Served) -> None:
    exchange(open_gateway.port, get("/api/users", "Authorization: Bearer abc"))
    assert upstream.next().values(b"authorization") == [b"Bearer abc"]


def test_the_access_line_names_the_credential_and_no_line_shows_it(
    guarded: Served, upstream: Recording, keys: Keys
) -> None:
    credential = token(sub="ana@example.com")
    exchange(guarded.port, get("/api/users", f"X-API-Key: {keys['reader'][0]}", "X-Request-ID: by-key"))
    exchange(guarded.port, get("/api/users", f"Authorization: Bearer {credential}", "X-Request-ID: by-token"))
    exchange(guarded.port, get("/api/users", f"X-API-Key: {keys['reader'][0]}x", "X-Request-ID: by-nobody"))
    assert [line["principal"] for line in access_lines(guarded, "by-key")] == ["key:reader"]
    assert [line["principal"] for line in access_lines(guarded, "by-token")] == ["jwt:ana@example.com"]
    assert ["principal" in line for line in access_lines(guarded, "by-nobody")] == [False]
    said = "".join(map(str, lines(guarded)))
    for secret in (keys["reader"][0], keys["writer"][0], credential, credential.rpartition(".")[2]):
        assert secret not in said
