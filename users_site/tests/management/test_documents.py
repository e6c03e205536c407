"""identify: its fast path never accepts what the contract's rules would refuse."""

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from users_site.operations import documents
from users_site.operations.documents import BadDocument, identify
from users_site.tests.management.conftest import a_user

names = st.text(st.sampled_from("aZß İŁž'-.\t\x85\xa0ſ\\\"é"), max_size=12)
emails = st.text(st.sampled_from("aZ0.+_-@é "), min_size=3, max_size=20) | st.emails()


def slowly(document: bytes) -> bool:
    try:
        documents._identify_slowly(document)
    except BadDocument:
        return False
    return True


@given(name=names, email=emails)
@example(name="\x85", email="a@b.cd")
@example(name="a b", email="a@b.c")
def test_quick_way_accepts_less_than_the_rules(name: str, email: str) -> None:
    document = a_user(name=name, email=email).document()
    if documents._plain(document):
        assert slowly(document)


@pytest.mark.parametrize("name", ["Ada Lovelace", "Zoë O'Brien", "Søren Müller-Kovács", "Łukasz Żak"])
def test_common_names_take_the_quick_way(name: str) -> None:
    assert documents._plain(a_user(name=name).document())


@pytest.mark.parametrize("moment", ["2026-02-30T00:00:00.000000Z", "2026-01-01T25:00:00.000000Z"])
def test_fast_path_checks_the_calendar(moment: str) -> None:
    with pytest.raises(BadDocument):
        identify(a_user(updated_at=moment).document())


def test_identity_is_that_of_the_document() -> None:
    user = a_user(email="uni+x@exämple.com")
    assert identify(user.document()) == (user.id, user.email)


@pytest.mark.parametrize("text", ["\\u0041da", "\\/"])
def test_needless_escapes_are_not_what_the_api_writes(text: str) -> None:
    document = a_user(name="NAME").document().replace(b"NAME", text.encode())
    assert orjson.loads(document)
    with pytest.raises(BadDocument, match="as the API writes it"):
        identify(document)
