"""ETags and If-Match / If-None-Match (RFC 9110 §13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.http.request import Request
from users_site.preconditions import etag, for_write, is_unmodified
from users_site.repository.errors import VersionMismatch
from users_site.tests.requests import request

DOCUMENT, OTHER = b'{"name":"Ada"}', b'{"name":"Grace"}'
TAG, OTHER_TAG = etag(DOCUMENT), etag(OTHER)
BARE = TAG.strip('"')
# If-Match, If-None-Match, whether a change is made, and how a read is answered.
CASES = [
    *(([values], [], True, 200) for values in (TAG, "*", f"{OTHER_TAG}, {TAG}")),
    *((values, [], True, 200) for values in ([OTHER_TAG, TAG], [TAG, "W/" + OTHER_TAG])),
    *(([value], [], False, 412) for value in (OTHER_TAG, "W/" + TAG, BARE, '"*"', "", '"', "x", TAG.upper())),
    *(([], [value], False, 304) for value in (TAG, "W/" + TAG, f"{OTHER_TAG} ,{TAG}", "*", " * ")),
    *(([], [value], True, 200) for value in (OTHER_TAG, "W/" + OTHER_TAG, "", BARE, '"*"', "W/*")),
    ([TAG], [OTHER_TAG], True, 200),
    ([TAG], [TAG], False, 304),
    ([OTHER_TAG], [OTHER_TAG], False, 412),
    *(([value], [TAG], False, 412) for value in (OTHER_TAG, "W/" + TAG, "", "x")),
]


@given(st.binary(), st.binary())
def test_documents_share_an_etag_only_if_they_are_equal(first: bytes, second: bytes) -> None:
    assert (etag(first) == etag(second)) == (first == second)
    assert etag(first).startswith('"')
    assert etag(first).endswith('"')


def asked(match: list[str], none_match: list[str]) -> Request:
    return request(*(("If-Match", value) for value in match), *(("If-None-Match", value) for value in none_match))


def is_changed(match: list[str], none_match: list[str]) -> bool | None:
    """Whether a change is made; None without a condition."""
    holds = for_write(asked(match, none_match))
    return None if holds is None else holds(DOCUMENT)


def status_of_read(match: list[str], none_match: list[str]) -> int:
    try:
        return 304 if is_unmodified(asked(match, none_match), TAG) else 200
    except VersionMismatch:
        return 412


@pytest.mark.parametrize(("match", "none_match", "changed", "status"), [([], [], None, 200), *CASES])
def test_conditions_are_evaluated(match: list[str], none_match: list[str], changed: bool | None, status: int) -> None:
    assert is_changed(match, none_match) is changed
    assert status_of_read(match, none_match) == status


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80))
def test_any_header_is_answered_and_holds_only_with_the_tag_or_a_star_in_it(value: str) -> None:
    if is_changed([value], []) or status_of_read([], [value]) == 304:
        assert TAG in value or value.strip() == "*"
