"""X-Forwarded-*: which peers' values count, and which values are well-formed."""

from ipaddress import ip_network

import pytest

from common.http import forwarded, proxies
from common.http.forwarded import Origin
from common.http.proxies import Proxies

OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
TRUSTING = Proxies(OURS, hosts=["shop.example.com", ".example.org"])
HOST = b"inner"


def origin(trusting: Proxies, *fields: tuple[bytes, bytes], peer: str = "10.0.0.1") -> Origin:
    return trusting.origin(list(fields), peer, "http", HOST)


FIELDS = ((b"x-forwarded-host", b"shop.example.com"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-prefix", b"/a"))


@pytest.mark.parametrize(
    ("proxies", "peer", "found"),
    [
        (TRUSTING, "10.0.0.1", Origin("https", "shop.example.com", "/a")),
        (TRUSTING, "192.0.2.1", Origin("http", "inner", "")),
        (Proxies(hops=2), "192.0.2.1", Origin("https", "shop.example.com", "/a")),
        (Proxies(OURS, public_url="https://example.com/shop"), "10.0.0.1", Origin("https", "example.com", "/shop")),
    ],
    ids=["trusted", "another peer", "hops trust every peer", "public URL"],
)
def test_the_origin_is_that_of_the_fields_if_the_peer_is_trusted(proxies: Proxies, peer: str, found: Origin) -> None:
    assert origin(proxies, *FIELDS, peer=peer) == found


def test_a_long_value_is_neither_used_nor_kept() -> None:
    forwarded._is_allowed.cache_clear()
    assert origin(TRUSTING, (b"x-forwarded-prefix", b"/a" * 10_000)).prefix == ""
    assert origin(TRUSTING, (b"x-forwarded-host", b"a." * 10_000)).host == "inner"
    assert forwarded._is_allowed.cache_info().currsize == 0
    proxies._is_in.cache_clear()
    assert TRUSTING.client([(b"x-forwarded-for", b"1" * 65)], "10.0.0.1") == "1" * 65
    assert proxies._is_in.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"", "10.0.0.1"),
        (b"10.0.0.9", "10.0.0.1"),
        (b"2001:db8::7", "2001:db8::7"),
        (b"2001:db8::7, fd00::2", "2001:db8::7"),
        (b"evil, 203.0.113.9", "203.0.113.9"),
        (b"203.0.113.9, unknown", "unknown"),
        (b"203.0.113.9, ,", "203.0.113.9"),
        (b"203.0.113.9:50123", "203.0.113.9"),
        (b"[2001:db8::7]:50123", "2001:db8::7"),
        (b"203.0.113.9, 10.0.0.1:1234", "203.0.113.9"),
        (b"203.0.113.9, [fd00::2]:1234", "203.0.113.9"),
        (b"203.0.113.9, ::ffff:10.0.0.7", "203.0.113.9"),
        (b"203.0.113.9:", "203.0.113.9:"),
        (b"host:80", "host:80"),
        (b"\xff", "ÿ"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_proxy(chain: bytes, client: str) -> None:
    assert TRUSTING.client([(b"x-forwarded-for", chain)], "10.0.0.1") == client


def test_a_proxy_is_recognised_on_a_socket_for_both_families() -> None:
    """With HOST=`::` the kernel shows IPv4 peers as ::ffff:10.0.0.1; otherwise all clients would count as one."""
    assert TRUSTING.client([(b"x-forwarded-for", b"203.0.113.9")], "::ffff:10.0.0.1") == "203.0.113.9"


@pytest.mark.parametrize(
    ("hops", "chain", "client"),
    [
        (1, b"evil, 203.0.113.9", "203.0.113.9"),
        (2, b"evil, 203.0.113.9, 198.51.100.1", "203.0.113.9"),
        (2, b"203.0.113.9", "192.0.2.1"),
        (1, b"", "192.0.2.1"),
    ],
)
def test_behind_a_number_of_hops_the_client_is_that_many_before_us(hops: int, chain: bytes, client: str) -> None:
    assert Proxies(hops=hops).client([(b"x-forwarded-for", chain)], "192.0.2.1") == client


def test_the_chain_continues_behind_a_trusted_proxy_only() -> None:
    fields = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"10.0.0.2")]
    assert TRUSTING.chain(fields, "10.0.0.1") == b"203.0.113.9, 10.0.0.2, 10.0.0.1"
    assert TRUSTING.chain(fields, "192.0.2.1") == b"192.0.2.1"
