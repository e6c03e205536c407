"""X-Forwarded-* at the user service: from trusted peers, and only well-formed values."""

import pytest

from tests.in_process import built, call

HTTPS = (b"x-forwarded-proto", b"https")
PREFIX = (b"x-forwarded-prefix", b"/api")
HOST = (b"x-forwarded-host", b"localhost:8443")


async def instance(*fields: tuple[bytes, bytes], **settings: str) -> str:
    """The path that a problem shows."""
    with built("users_site", **settings) as application:
        answer = await call(application, "/users/x", headers=fields)
    return str(answer.json()["instance"])


async def test_the_prefix_of_any_peer_counts_where_no_proxy_is_named() -> None:
    assert await instance(HTTPS, HOST, PREFIX) == "/api/users/x"


@pytest.mark.parametrize(("proxies", "shown"), [("192.0.2.0/24", "/api/users/x"), ("10.0.0.0/8", "/users/x")])
async def test_only_named_proxies_count(proxies: str, shown: str) -> None:
    assert await instance(PREFIX, TRUSTED_PROXIES=proxies) == shown


@pytest.mark.parametrize(
    ("public_url", "prefix", "shown"),
    [
        ("https://example.com", b"/api", "/api/users/x"),
        ("https://example.com/shop", b"/shop/api", "/shop/api/users/x"),
        ("https://example.com/shop/api", b"/api", "/shop/api/users/x"),
        ("https://example.com/shop", b"//evil", "/shop/users/x"),
    ],
)
async def test_public_url_wins_and_the_gateways_prefix_may_follow_it(
    public_url: str, prefix: bytes, shown: str
) -> None:
    assert await instance((b"x-forwarded-prefix", prefix), PUBLIC_URL=public_url) == shown
