"""The names of keys and the places of users: stores hold them, so that another one would lose data."""

import pytest

from users_site.repository.errors import WrongLayout
from users_site.repository.keys import Layout

ADA = "75c46cd869b1c1772d877003bf4ea8c3"


def test_the_names_of_keys() -> None:
    (one,) = Layout().partitions
    assert (one.number, one.index, one.epoch, one.moving) == (0, "{users:0}:ids", "{users:0}:epoch", "{users:0}:moving")
    assert one.record("1") == one.records + "1" == "{users:0}:user:1"
    assert (one.suspects, one.intent("1"), one.made("1")) == (
        "{users:0}:suspects",
        "{users:0}:intent:1",
        "{users:0}:made:1",
    )
    assert one.claim("Ada@Example.ORG") == "{users:0}:email:ada@example.org"
    assert one.idempotency("a-key") == "{users:0}:idem:a-key"
    assert one.idempotency("a-key", "jwt:ada") == f"{{users:0}}:idem:{ADA} a-key"
    assert (Layout(1).pattern, Layout(16).pattern, Layout(64).pattern) == ("{users:*}", "{u??}", "{u??}")


@pytest.mark.parametrize(
    ("count", "tags"), [(1, ["users:0"] * 4), (16, ["u6q", "u1z", "uxa", "ud6"]), (64, ["ugk", "uan", "u7a", "udf"])]
)
def test_the_places_of_users_and_entries(count: int, tags: list[str]) -> None:
    layout = Layout(count)
    places = [
        layout.of("01900000-0000-7abc-8000-000000000000"),
        layout.of_email("Ada@Example.org"),
        layout.of_key("a-key", "jwt:ada"),
        layout.of_key("a-key", ""),
    ]
    assert [place.tag for place in places] == tags
    assert layout.by_tag == {place.tag: place for place in layout.partitions}


def test_a_store_of_another_layout_is_refused_unless_its_writes_are_held() -> None:
    layout = Layout(16)
    layout.require([None, b"16", b"held 64"])
    with pytest.raises(WrongLayout, match=r"^PARTITIONS is 16, but the store was made with 64: set PARTITIONS=64$"):
        layout.require([b"16", b"64", b"1", None])
    with pytest.raises(WrongLayout, match="made with \N{REPLACEMENT CHARACTER}:"):
        layout.require([b"\xff"])
