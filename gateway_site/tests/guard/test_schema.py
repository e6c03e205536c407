"""The schema says how to authenticate, as AUTH is set."""

from pathlib import Path
from typing import Any

import pytest

from gateway_site.tests.guard.conftest import Start
from gateway_site.tests.guard.issuer import Issuer
from tools.testing.service import Service
from tools.testing.wire import exchange, get


def schema(gateway: Service) -> Any:
    return exchange(gateway.port, get("/api/openapi.json")).json()


def security(document: Any, path: str, method: str) -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = document["paths"][path][method]["security"]
    return found


def test_with_auth_a_credential_of_the_right_scope_is_required(guarded: Service) -> None:
    document = schema(guarded)
    assert set(document["components"]["securitySchemes"]) == {"bearerAuth", "apiKeyAuth"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scope = "users:read" if method == "get" else "users:write"
            if path.startswith("/api/users"):
                assert operation["security"] == [{"bearerAuth": [scope]}, {"apiKeyAuth": [scope]}]
            else:
                assert not operation.get("security")


def test_without_auth_it_may_be_left_out(open_gateway: Service) -> None:
    assert security(schema(open_gateway), "/api/users", "get")[0] == {}


@pytest.mark.parametrize(("auth", "schemes"), [("jwt", {"bearerAuth"}), ("apikey", {"bearerAuth", "apiKeyAuth"})])
def test_only_what_is_accepted_is_offered(
    start: Start, trusted_issuer: Issuer, key_file: Path, auth: str, schemes: set[str]
) -> None:
    settings = {**trusted_issuer.settings, "AUTH": auth, "AUTH_API_KEYS_FILE": str(key_file)}
    with start(**settings) as gateway:
        document = schema(gateway)
    assert set(document["components"]["securitySchemes"]) == schemes
    assert {} not in security(document, "/api/users", "post")
