"""TRUSTED_PROXIES: what a proxy of ours says of the client is believed, in headers, links, problems and logs."""

from collections.abc import Iterator

import pytest

from tools.testing.log_lines import access_lines
from tools.testing.recording import Recording
from tools.testing.service import Service, service
from tools.testing.wire import exchange, get

SAID = [
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-Host: shop.example.com",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Prefix: /shop",
]


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory, recorded: tuple[Service, Recording]) -> Iterator[Service]:
    """A gateway that trusts loopback."""
    settings = {"USER_SERVICE_URL": recorded[1].url, "AUTH": "none", "TRUSTED_PROXIES": "127.0.0.0/8,::1"}
    with service("gateway_site", tmp_path_factory.mktemp("trusting"), **settings) as running:
        yield running


def test_a_trusted_proxy_is_believed(behind_proxy: Service, upstream: Recording) -> None:
    exchange(behind_proxy.port, get("/api/users", *SAID, "X-Request-ID: trusted"))
    received = upstream.next()
    assert received.values(b"x-forwarded-for") == [b"203.0.113.9, 127.0.0.1"]
    assert received.values(b"x-forwarded-host") == [b"shop.example.com"]
    assert received.values(b"x-forwarded-proto") == [b"https"]
    assert received.values(b"x-forwarded-prefix") == [b"/shop/api"]
    (line,) = access_lines(behind_proxy, "trusted")
    assert line["remote_addr"] == "203.0.113.9"


def test_its_prefix_is_part_of_the_path_that_the_client_asked_for(behind_proxy: Service) -> None:
    assert exchange(behind_proxy.port, get("/nowhere", *SAID)).json()["instance"] == "/shop/nowhere"


def test_nobody_else_is_believed(gateway: Service, upstream: Recording) -> None:
    assert exchange(gateway.port, get("/nowhere", *SAID)).json()["instance"] == "/nowhere"
    exchange(gateway.port, get("/api/users", *SAID, "X-Request-ID: untrusted"))
    (line,) = access_lines(gateway, "untrusted")
    assert line["remote_addr"] == "127.0.0.1"
