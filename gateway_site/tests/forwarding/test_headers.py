"""Which header fields cross the gateway, for any list of fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.http.forwarded import Origin
from gateway_site.forwarding import headers
from gateway_site.forwarding.headers import end_to_end, forwarded, joined
from gateway_site.routes.field_names import FROM_UPSTREAM, HOP_BY_HOP, NOT_FORWARDED, one_of

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20).map(str.encode)
NAMES = TOKENS | st.sampled_from([*sorted(NOT_FORWARDED), b"set-cookie", b"accept", b"x-mine", b"x-forwarded-evil"])
VALUES = st.binary(max_size=30).filter(lambda value: not set(value) & set(b"\r\n\0"))
NAMED = st.lists(TOKENS | st.sampled_from([b"close", b"Keep-Alive", b" X-Mine ", b"ACCEPT"]), max_size=5)
FIELDS = st.lists(st.tuples(NAMES, VALUES) | st.tuples(st.just(b"connection"), NAMED.map(b",".join)), max_size=20)


@pytest.mark.parametrize("dropped", [FROM_UPSTREAM, NOT_FORWARDED], ids=["answer", "request"])
@given(FIELDS)
def test_all_cross_in_order_but_those_of_a_connection(
    dropped: frozenset[bytes], fields: list[tuple[bytes, bytes]]
) -> None:
    named = [token for name, value in fields if name == b"connection" for token in value.split(b",")]
    stopped = HOP_BY_HOP | dropped | {token.strip().lower() for token in named}
    assert end_to_end(fields, one_of(dropped)) == [field for field in fields if field[0] not in stopped]


ORIGIN = Origin("https", "shop.example.com", "/shop")


def test_the_user_service_gets_the_clients_origin() -> None:
    assert forwarded(b"203.0.113.9, 10.0.0.1", ORIGIN, "/api") == [
        (b"x-forwarded-for", b"203.0.113.9, 10.0.0.1"),
        (b"x-forwarded-host", b"shop.example.com"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-prefix", b"/shop/api"),
    ]


def test_the_lines_of_a_list_are_one_value() -> None:
    fields = [(b"vary", b"a, b"), (b"age", b"1"), (b"vary", b"c")]
    assert (joined(fields, b"vary"), joined(fields, b"age"), joined(fields, b"etag")) == (b"a, b, c", b"1", b"")


def test_long_chains_are_not_cached() -> None:
    headers._forwarded.cache_clear()
    for length in (256, 257):
        assert forwarded(b"a" * length, ORIGIN, "/api")[0] == (b"x-forwarded-for", b"a" * length)
        assert headers._forwarded.cache_info().currsize == 1


def test_the_caches_of_chains_and_of_routes_are_bounded() -> None:
    for number in range(1100):
        forwarded(b"%d" % number, ORIGIN, "/api")
        one_of(frozenset({b"%d" % number}))
    assert (headers._forwarded.cache_info().currsize, one_of.cache_info().currsize) == (1024, 256)


@pytest.mark.parametrize(
    "name", [b"x_authenticated_subject", b"x-authenticated_subject", b"x_forwarded_for", b"x_real_ip"]
)
def test_names_with_underscores_are_dropped_like_those_with_hyphens(name: bytes) -> None:
    assert end_to_end([(name, b"1")], one_of(NOT_FORWARDED)) == []


def test_the_cache_of_names_is_bounded() -> None:
    is_one = one_of(frozenset({b"te", b"x-mine-"}))
    for number in range(300):
        assert not is_one(b"x-%d" % number)
    assert is_one.cache_info().currsize == 128  # type: ignore[attr-defined]
    assert is_one(b"te")
    assert is_one(b"x-mine-late")
