"""ETags and If-Match / If-None-Match (RFC 9110 §13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from users_site.preconditions import etag, for_write, is_unmodified
from users_site.repository.errors import VersionMismatch
from users_site.tests.requests import request

DOCUMENT, OTHER = b'{"name":"Ada"}', b'{"name":"Grace"}'
TAG, OTHER_TAG = etag(DOCUMENT), etag(OTHER)

header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)


@given(st.binary(), st.binary())
def test_documents_share_an_etag_only_if_they_are_equal(first: bytes, second: bytes) -> None:
    assert (etag(first) == etag(second)) == (first == second)
    assert etag(first).startswith('"')
    assert etag(first).endswith('"')


def matches(*values: str) -> bool | None:
    test = for_write(request(*(("If-Match", value) for value in values)))
    return None if test is None else test(DOCUMENT)


def test_without_a_header_nothing_is_asked() -> None:
    assert matches() is None
    assert not is_unmodified(request(), TAG)


@pytest.mark.parametrize(
    "values", [(TAG,), ("*",), (f"{OTHER_TAG}, {TAG}",), (OTHER_TAG, TAG), (TAG, "W/" + OTHER_TAG)]
)
def test_if_match_holds(values: tuple[str, ...]) -> None:
    assert matches(*values) is True


@pytest.mark.parametrize(
    "value", [OTHER_TAG, "W/" + TAG, TAG.strip('"'), '"*"', "", '"', TAG.upper().replace("W", "x")]
)
def test_if_match_does_not_hold(value: str) -> None:
    assert matches(value) is False


@pytest.mark.parametrize("value", [TAG, "W/" + TAG, f"{OTHER_TAG} ,{TAG}", "*", " * "])
def test_if_none_match_names_this_version(value: str) -> None:
    assert is_unmodified(request(("If-None-Match", value)), TAG)


@pytest.mark.parametrize("value", [OTHER_TAG, "W/" + OTHER_TAG, "", TAG.strip('"'), '"*"', "W/*"])
def test_if_none_match_names_another_version(value: str) -> None:
    assert not is_unmodified(request(("If-None-Match", value)), TAG)


@pytest.mark.parametrize(("value", "allowed"), [(TAG, False), ("*", False), ("W/" + TAG, False), (OTHER_TAG, True)])
def test_if_none_match_refuses_a_change_of_the_version_it_names(value: str, allowed: bool) -> None:
    test = for_write(request(("If-None-Match", value)))
    assert test is not None
    assert test(DOCUMENT) is allowed


def test_both_conditions_must_hold_for_a_change() -> None:
    for match, none_match, allowed in ((TAG, OTHER_TAG, True), (TAG, TAG, False), (OTHER_TAG, OTHER_TAG, False)):
        test = for_write(request(("If-Match", match), ("If-None-Match", none_match)))
        assert test is not None
        assert test(DOCUMENT) is allowed


@pytest.mark.parametrize("value", [OTHER_TAG, "W/" + TAG, "", "x"])
def test_if_match_fails_a_read_too_and_goes_first(value: str) -> None:
    with pytest.raises(VersionMismatch):
        is_unmodified(request(("If-Match", value), ("If-None-Match", TAG)), TAG)


@given(header_text)
def test_any_header_is_answered_and_holds_only_with_the_tag_or_a_star_in_it(value: str) -> None:
    holds = matches(value), is_unmodified(request(("If-None-Match", value)), TAG)
    if any(holds):
        assert TAG in value or value.strip() == "*"
