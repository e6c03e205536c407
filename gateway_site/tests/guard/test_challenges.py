"""Refusals carry `WWW-Authenticate` after RFC 6750; probes and documentation need no credential."""

from pathlib import Path
from typing import Any

import pytest

from gateway_site.tests.guard.conftest import Keys, Start, refusals
from gateway_site.tests.guard.issuer import Issuer, token
from tests.log_lines import waited_for
from tests.recording import Recording
from tests.serving import Served
from tests.wire import exchange, get

READING = ["GET", "HEAD", "OPTIONS"]
USER = "/api/users/01900000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "X-Other: 1"),
        ("", "Authorization: Basic dXNlcjpwYXNz"),
        ("?access_token={key}", "X-Other: 1"),  # would be in every log on the way (RFC 6750 §5.3)
        ("?X-API-Key={key}", "X-Other: 1"),
    ],
)
def test_without_a_credential_the_challenge_names_no_error(
    guarded: Served, upstream: Recording, keys: Keys, query: str, field: str
) -> None:
    answer = exchange(guarded.port, get("/api/users" + query.format(key=keys["writer"][0]), field))
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.values("www-authenticate") == ['Bearer realm="api"']
    assert upstream.received.empty()


def test_a_bad_credential_is_logged(guarded: Served) -> None:
    assert exchange(guarded.port, get("/api/users", "Authorization: Bearer nonsense")).status == 401
    *_, logged = waited_for(guarded, lambda line: line["message"] == "credentials refused")
    assert logged["reason"] == "malformed"


@pytest.mark.parametrize("method", [*READING, "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"])
def test_a_request_without_its_scope_is_403_with_the_missing_one(
    guarded: Served, upstream: Recording, method: str
) -> None:
    upstream.default = b"HTTP/1.1 204 No Content\r\n\r\n"
    needed = "users:read" if method in READING else "users:write"
    for scope in ("users:read", "users:write"):
        credential = f"Authorization: Bearer {token(scope=f'{scope} openid')}"
        answer = exchange(guarded.port, get(USER, credential, method=method), method)
        challenge = f'Bearer realm="api", error="insufficient_scope", scope="{needed}"'
        found = answer.status, answer.values("www-authenticate")
        assert found == ((204, []) if scope == needed else (403, [challenge]))
    assert upstream.received.qsize() == 1


@pytest.mark.parametrize(
    "given",
    [
        ["Authorization: Bearer {token}", "X-API-Key: {key}"],
        ["Authorization: Bearer {token}", "Authorization: Bearer {token}"],
        ["Authorization: Bearer {token}", "Authorization: Basic eA=="],
        ["X-API-Key: {key}", "x-api-key: {key}"],
    ],
)
def test_more_than_one_credential_is_an_invalid_request(
    guarded: Served, upstream: Recording, keys: Keys, given: list[str]
) -> None:
    """RFC 6750 §3.1: a server that checks one and uses the other is open."""
    fields = [field.format(token=token(), key=keys["writer"][0]) for field in given]
    counted = refusals("ambiguous")
    answer = exchange(guarded.port, get("/api/users", *fields))
    assert (answer.status, answer.json()["code"]) == (400, "malformed-request")
    assert answer.json()["detail"] == "More than one credential was sent."
    assert answer.values("www-authenticate") == [
        'Bearer realm="api", error="invalid_request", error_description="More than one credential was sent"'
    ]
    assert refusals("ambiguous") == counted + 1
    assert upstream.received.empty()


def test_a_refused_body_is_not_read(guarded: Served, upstream: Recording) -> None:
    head = get("/api/users", "Content-Type: application/json", "Content-Length: 60000", method="POST")
    assert exchange(guarded.port, head).status == 401
    assert upstream.received.empty()


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/metrics", "/version", "/problems", "/", "/api/docs", "/api/openapi.json"]
)
def test_probes_and_documentation_need_no_credential(guarded: Served, path: str) -> None:
    assert exchange(guarded.port, get(path)).status == 200


def test_only_what_auth_names_is_accepted(
    start: Start, trusted_issuer: Issuer, key_file: Path, keys: Keys, upstream: Recording
) -> None:
    key, credential = keys["writer"][0], token()
    with (
        start(**trusted_issuer.settings) as jwt_only,
        start(AUTH="apikey", AUTH_API_KEYS_FILE=str(key_file)) as key_only,
    ):
        for gateway, refused in ((jwt_only, key), (key_only, credential)):
            for field in (f"X-API-Key: {refused}", f"Authorization: Bearer {refused}"):
                assert exchange(gateway.port, get("/api/users", field)).status == 401
        assert upstream.received.empty()
        both = get("/api/users", f"X-API-Key: {key}", f"Authorization: Bearer {credential}")
        assert exchange(jwt_only.port, both).status == 200, "the other field is ignored"


@pytest.mark.parametrize(
    ("auth", "schemes"),
    [
        ("none", ["bearerAuth", "apiKeyAuth"]),
        ("jwt", ["bearerAuth"]),
        ("apikey", ["bearerAuth", "apiKeyAuth"]),
        ("jwt,apikey", ["bearerAuth", "apiKeyAuth"]),
    ],
)
def test_the_schema_requires_a_credential_unless_auth_is_none(
    start: Start, trusted_issuer: Issuer, key_file: Path, auth: str, schemes: list[str]
) -> None:
    settings = {**trusted_issuer.settings, "AUTH": auth, "AUTH_API_KEYS_FILE": str(key_file)}
    with start(**settings) as gateway:
        document = exchange(gateway.port, get("/api/openapi.json")).json()
    assert list(document["components"]["securitySchemes"]) == schemes
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path.startswith("/api/users"):
                left_out: list[Any] = [{}] if auth == "none" else []
                assert operation["security"] == left_out + [{name: []} for name in schemes]
            else:
                assert not operation.get("security")
