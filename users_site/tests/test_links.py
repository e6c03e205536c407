"""Cursors and the query of a list."""

from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from users_site.links import decode_cursor, encode_cursor, page_query, page_url
from users_site.repository.pages import Position, Side
from users_site.tests.refusals import accepted_or_refused
from users_site.tests.requests import request

positions = st.builds(Position, st.sampled_from(Side), st.uuids().map(str), st.booleans())


@given(positions)
def test_cursor_means_its_position_again_and_needs_no_quoting(position: Position) -> None:
    cursor = encode_cursor(position)
    assert decode_cursor(cursor) == position
    assert quote(cursor, safe="") == cursor
    assert position.user_id not in cursor


@given(positions, positions)
def test_two_positions_never_share_a_cursor(first: Position, second: Position) -> None:
    assert (encode_cursor(first) == encode_cursor(second)) == (first == second)


@given(st.one_of(st.text(max_size=120), st.text("ABCDEFxyz0189-_=", min_size=20, max_size=26)))
def test_any_text_is_a_position_or_a_validation_error(text: str) -> None:
    position, refused = accepted_or_refused(lambda: decode_cursor(text))
    assert refused.keys() <= {"cursor"}
    assert position is None or encode_cursor(position) == text


@given(st.binary(max_size=200))
def test_any_query_string_is_a_query_or_a_validation_error_about_its_fields(query: bytes) -> None:
    for text in (query, b"limit=" + query, b"cursor=" + query, b"email=" + query):
        asked, refused = accepted_or_refused(partial(page_query, text))
        assert refused.keys() <= {"limit", "cursor", "email"}
        assert asked is None or 1 <= asked.limit <= 100


def test_query_that_asks_for_nothing_gets_the_first_20() -> None:
    asked = page_query(b"")
    assert (asked.limit, asked.start, asked.email) == (20, None, None)


def test_every_fault_is_reported_at_once() -> None:
    with pytest.raises(ValidationError, match="Choose one of: true, false") as raised:
        page_query(b"email=x&limit=101&cursor=&count=maybe")
    assert raised.value.detail.keys() == {"limit", "cursor", "email", "count"}


def test_page_without_a_neighbour_has_no_link() -> None:
    assert page_url(request(("Host", "a")), None, page_query(b"")) is None
