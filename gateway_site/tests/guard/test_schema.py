"""The schema shows how to authenticate, as AUTH is set."""

from pathlib import Path
from typing import Any

import pytest

from gateway_site.tests.guard.conftest import Start
from gateway_site.tests.guard.issuer import Issuer
from tests.wire import exchange, get


@pytest.mark.parametrize(
    ("auth", "schemes"),
    [
        ("none", ["bearerAuth", "apiKeyAuth"]),
        ("jwt", ["bearerAuth"]),
        ("apikey", ["bearerAuth", "apiKeyAuth"]),
        ("jwt,apikey", ["bearerAuth", "apiKeyAuth"]),
    ],
)
def test_an_accepted_credential_is_required_unless_auth_is_none(
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
