"""TRUSTED_PROXIES, TRUSTED_HOPS, PUBLIC_URL: in headers, problems and logs."""

import pytest

from tests.log_lines import access_lines
from tests.recording import Recording
from tests.serving import serving
from tests.wire import exchange, get

SAID = [
    "X-Forwarded-For: forged, 203.0.113.9, 198.51.100.1",
    "X-Forwarded-Host: shop.example.com",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Prefix: /shop",
]
MALFORMED = ["X-Forwarded-Host: evil.example", "X-Forwarded-Proto: javascript:", "X-Forwarded-Prefix: //evil"]
PROXY = {"TRUSTED_PROXIES": "127.0.0.0/8,::1,198.51.100.1"}
OURS = (b"127.0.0.1", b"http", b"/api")
THEIRS = (b"shop.example.com", b"https", b"/shop/api")


@pytest.mark.parametrize(
    ("settings", "fields", "forwarded", "instance", "client"),
    [
        (PROXY, SAID, THEIRS, "/shop/nowhere", "203.0.113.9"),
        (PROXY, MALFORMED, OURS, "/nowhere", "127.0.0.1"),
        ({}, SAID, OURS, "/nowhere", "127.0.0.1"),
        ({"TRUSTED_HOPS": "2"}, SAID, THEIRS, "/shop/nowhere", "203.0.113.9"),
        (
            {"TRUSTED_HOPS": "1", "PUBLIC_URL": "https://api.example.com/v1"},
            SAID,
            (b"api.example.com", b"https", b"/v1/api"),
            "/v1/nowhere",
            "198.51.100.1",
        ),
    ],
    ids=["proxy", "malformed", "not trusted", "hops", "public URL"],
)
def test_well_formed_fields_of_trusted_proxies_count(
    upstream: Recording,
    settings: dict[str, str],
    fields: list[str],
    forwarded: tuple[bytes, ...],
    instance: str,
    client: str,
) -> None:
    settings = {"USER_SERVICE_URL": upstream.url, "ALLOWED_HOSTS": "127.0.0.1,shop.example.com", **settings}
    with serving("gateway_site", **settings) as gateway:
        exchange(gateway.port, get("/api/users", *fields, "X-Request-ID: trusted"))
        received = upstream.next()
        found = [received.values(b"x-forwarded-" + name) for name in (b"host", b"proto", b"prefix")]
        assert found == [[value] for value in forwarded]
        (chain,) = received.values(b"x-forwarded-for")
        said = "" if client == "127.0.0.1" else "forged, 203.0.113.9, 198.51.100.1, "
        assert chain.decode() == f"{said}127.0.0.1"
        (line,) = access_lines(gateway, "trusted")
        assert line["remote_addr"] == client
        assert exchange(gateway.port, get("/nowhere", *fields)).json()["instance"] == instance
