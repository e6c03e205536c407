"""Which header fields cross, and what is said of the client: pure, so every list of fields may be tried."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_site.forwarding.headers import (
    FROM_CLIENT,
    HOP_BY_HOP,
    NOT_FORWARDED,
    client_address,
    end_to_end,
    forwarded,
)

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20).map(str.encode)
NAMES = (
    TOKENS | st.sampled_from(sorted(NOT_FORWARDED)) | st.sampled_from([b"set-cookie", b"accept", b"x-forwarded-evil"])
)
VALUES = st.binary(max_size=30).filter(lambda value: not set(value) & set(b"\r\n\0"))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=20)
CONNECTION = st.lists(TOKENS | st.sampled_from([b"close", b"Keep-Alive", b" X-Mine "]), max_size=5).map(b",".join)
ADDRESSES = st.ip_addresses().map(str)

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
US = ["10.0.0.1", "10.255.255.255", "fd00::1"]


@given(FIELDS)
def test_hop_by_hop_fields_never_cross(fields: list[tuple[bytes, bytes]]) -> None:
    assert not {name for name, _ in end_to_end(fields)} & HOP_BY_HOP
    assert not {name for name, _ in end_to_end(fields, FROM_CLIENT)} & NOT_FORWARDED


@given(FIELDS, st.lists(CONNECTION, min_size=1, max_size=3))
def test_fields_that_connection_names_never_cross(fields: list[tuple[bytes, bytes]], named: list[bytes]) -> None:
    given_fields = [*fields, *((b"connection", value) for value in named)]
    forbidden = {token.strip().lower() for value in named for token in value.split(b",")}
    assert not {name for name, _ in end_to_end(given_fields)} & forbidden


@given(FIELDS, TOKENS, VALUES)
def test_the_connection_field_may_stand_before_what_it_names(
    fields: list[tuple[bytes, bytes]], name: bytes, value: bytes
) -> None:
    assert (name, value) not in end_to_end([(b"connection", name.upper()), (name, value), *fields])


@given(FIELDS)
def test_what_crosses_keeps_its_order_its_repeats_and_its_bytes(fields: list[tuple[bytes, bytes]]) -> None:
    without = [field for field in fields if field[0] not in HOP_BY_HOP | {b"x-request-id"}]
    if not any(name == b"connection" for name, _ in fields):
        assert end_to_end(fields) == without


@given(FIELDS, ADDRESSES, st.sampled_from([(), TRUSTED]))
def test_nobody_untrusted_forges_who_they_are(
    fields: list[tuple[bytes, bytes]], peer: str, trusted: tuple[object, ...]
) -> None:
    if trusted and peer.startswith(("10.", "fd")):
        return
    said = dict(forwarded([*fields, (b"host", b"us")], peer, "http", b"/api", trusted))  # type: ignore[arg-type]
    hosts = [value for name, value in fields if name == b"host"]
    assert said == {
        b"x-forwarded-for": peer.encode(),
        b"x-forwarded-host": (hosts or [b"us"])[0],
        b"x-forwarded-proto": b"http",
        b"x-forwarded-prefix": b"/api",
    }
    assert client_address(fields, peer, trusted) == peer  # type: ignore[arg-type]


@pytest.mark.parametrize("peer", US)
def test_a_trusted_proxy_is_believed_and_the_chain_goes_on(peer: str) -> None:
    fields = [
        (b"host", b"inner"),
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"x-forwarded-for", b"198.51.100.7, 10.0.0.2"),
        (b"x-forwarded-host", b"shop.example.com"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-prefix", b"/shop"),
    ]
    assert forwarded(fields, peer, "http", b"/api", TRUSTED) == [
        (b"x-forwarded-for", b"203.0.113.9, 198.51.100.7, 10.0.0.2, " + peer.encode()),
        (b"x-forwarded-host", b"shop.example.com"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-prefix", b"/shop/api"),
    ]
    assert client_address(fields, peer, TRUSTED) == "198.51.100.7"


def test_a_trusted_proxy_that_says_nothing_adds_nothing() -> None:
    said = dict(forwarded([(b"host", b"us")], "10.0.0.1", "http", b"/api", TRUSTED))
    assert list(said.values()) == [b"10.0.0.1", b"us", b"http", b"/api"]


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
def test_the_client_is_the_last_hop_that_is_not_ours(chain: bytes, client: str) -> None:
    assert client_address([(b"x-forwarded-for", chain)], "10.0.0.1", TRUSTED) == client


def test_a_proxy_is_known_by_its_ipv4_address_on_a_socket_for_both() -> None:
    """Where HOST is `::` the kernel shows IPv4 peers as ::ffff:10.0.0.1; missed, all clients would count as one."""
    assert client_address([(b"x-forwarded-for", b"203.0.113.9")], "::ffff:10.0.0.1", TRUSTED) == "203.0.113.9"


@given(st.lists(st.binary(max_size=40), max_size=4), ADDRESSES | st.sampled_from(US))
def test_garbage_in_the_chain_is_no_error(chain: list[bytes], peer: str) -> None:
    fields = [(b"x-forwarded-for", value) for value in chain]
    assert isinstance(client_address(fields, peer, TRUSTED), str)
    assert forwarded(fields, peer, "http", b"/api", TRUSTED)
