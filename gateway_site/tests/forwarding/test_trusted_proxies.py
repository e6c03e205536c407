"""TRUSTED_PROXIES, TRUSTED_HOPS, PUBLIC_URL: in headers, problems and logs."""

from tests.log_lines import access_lines
from tests.recording import Recording
from tests.serving import serving
from tests.wire import exchange, get
from tools.processes.service import Service

SAID = [
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Host: shop.example.com",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Prefix: /shop",
]


HOSTS = "127.0.0.1,shop.example.com"


def test_fields_of_a_trusted_proxy_count(upstream: Recording) -> None:
    settings = {"USER_SERVICE_URL": upstream.url, "TRUSTED_PROXIES": "127.0.0.0/8,::1", "ALLOWED_HOSTS": HOSTS}
    with serving("gateway_site", **settings) as gateway:
        exchange(gateway.port, get("/api/users", *SAID, "X-Request-ID: trusted"))
        received = upstream.next()
        assert received.values(b"x-forwarded-for") == [b"203.0.113.9, 127.0.0.1"]
        assert received.values(b"x-forwarded-host") == [b"shop.example.com"]
        assert received.values(b"x-forwarded-proto") == [b"https"]
        assert received.values(b"x-forwarded-prefix") == [b"/shop/api"]
        (line,) = access_lines(gateway, "trusted")
        assert line["remote_addr"] == "203.0.113.9"
        assert exchange(gateway.port, get("/nowhere", *SAID)).json()["instance"] == "/shop/nowhere"


def test_malformed_fields_of_a_trusted_proxy_do_not(upstream: Recording) -> None:
    malformed = ["X-Forwarded-Host: evil.example", "X-Forwarded-Proto: javascript:", "X-Forwarded-Prefix: //evil"]
    settings = {"USER_SERVICE_URL": upstream.url, "TRUSTED_PROXIES": "127.0.0.0/8"}
    with serving("gateway_site", **settings) as gateway:
        exchange(gateway.port, get("/api/users", *malformed))
        received = upstream.next()
        assert received.values(b"x-forwarded-host") == [b"127.0.0.1"]
        assert received.values(b"x-forwarded-proto") == [b"http"]
        assert received.values(b"x-forwarded-prefix") == [b"/api"]


def test_hops_count_proxies_with_unknown_addresses(upstream: Recording) -> None:
    settings = {"USER_SERVICE_URL": upstream.url, "TRUSTED_HOPS": "2", "ALLOWED_HOSTS": HOSTS}
    with serving("gateway_site", **settings) as gateway:
        chain = "X-Forwarded-For: forged, 203.0.113.9, 198.51.100.1"
        exchange(gateway.port, get("/api/users", chain, "X-Forwarded-Proto: https", "X-Request-ID: hops"))
        assert upstream.next().values(b"x-forwarded-proto") == [b"https"]
        (line,) = access_lines(gateway, "hops")
        assert line["remote_addr"] == "203.0.113.9"


def test_public_url_overrides_every_field(upstream: Recording) -> None:
    settings = {"USER_SERVICE_URL": upstream.url, "PUBLIC_URL": "https://api.example.com/v1", "TRUSTED_HOPS": "1"}
    with serving("gateway_site", **settings) as gateway:
        exchange(gateway.port, get("/api/users", *SAID))
        received = upstream.next()
        assert received.values(b"x-forwarded-host") == [b"api.example.com"]
        assert received.values(b"x-forwarded-proto") == [b"https"]
        assert received.values(b"x-forwarded-prefix") == [b"/v1/api"]
        assert exchange(gateway.port, get("/nowhere")).json()["instance"] == "/v1/nowhere"


def test_fields_of_another_peer_do_not(gateway: Service, upstream: Recording) -> None:
    assert exchange(gateway.port, get("/nowhere", *SAID)).json()["instance"] == "/nowhere"
    exchange(gateway.port, get("/api/users", *SAID, "X-Request-ID: untrusted"))
    (line,) = access_lines(gateway, "untrusted")
    assert line["remote_addr"] == "127.0.0.1"
