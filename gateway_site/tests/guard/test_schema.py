"""The schema shows how to authenticate, as AUTH is set."""

from pathlib import Path
from typing import Any

import pytest

from gateway_site.tests.guard.conftest import Start
from gateway_site.tests.guard.issuer import Issuer
from tests.serving import Served
from tests.wire import exchange, get


def schema(gateway: Served) -> Any:
    return exchange(gateway.port, get("/api/openapi.json")).json()


def security(document: Any, path: str, method: str) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = document["paths"][path][method]["security"]
    return found


def test_without_auth_it_may_be_left_out(start: Start) -> None:
    with start() as gateway:
        assert security(schema(gateway), "/api/users", "get")[0] == {}


@pytest.mark.parametrize(
    ("auth", "schemes"),
    [
        ("jwt", ["bearerAuth"]),
        ("apikey", ["bearerAuth", "apiKeyAuth"]),
        ("jwt,apikey", ["bearerAuth", "apiKeyAuth"]),
    ],
)
def test_with_auth_an_accepted_credential_is_required(
    start: Start, trusted_issuer: Issuer, key_file: Path, auth: str, schemes: list[str]
) -> None:
    settings = {**trusted_issuer.settings, "AUTH": auth, "AUTH_API_KEYS_FILE": str(key_file)}
    with start(**settings) as gateway:
        document = schema(gateway)
    assert list(document["components"]["securitySchemes"]) == schemes
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path.startswith("/api/users"):
                assert operation["security"] == [{name: []} for name in schemes]
            else:
                assert not operation.get("security")
