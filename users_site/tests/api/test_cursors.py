"""Pages and their cursors, while others create and delete."""

import base64
from collections.abc import Callable
from itertools import cycle

import pytest

from users_site.tests.api.client import UNKNOWN, Users, faulty_fields
from users_site.tests.api.walking import follow, ids, pages


@pytest.mark.parametrize("limit", [1, 3, 4, 12, 13])
def test_walk_forth_and_back_sees_every_user_once(alone: Users, limit: int) -> None:
    newest_first = [alone.created()["id"] for _ in range(12)][::-1]
    forth = list(pages(alone.list(limit=limit).json()))
    assert ids(*forth) == newest_first
    back = list(pages(forth[-1], "previous"))
    assert ids(*back[::-1]) == newest_first
    assert all(page["count"] == 12 for page in forth + back)


def test_first_page_has_no_previous_and_the_last_no_next(alone: Users) -> None:
    for _ in range(5):
        alone.created()
    first, second, third = pages(alone.list(limit=2).json())
    assert (first["previous"], third["next"]) == (None, None)
    assert ids(follow(second["previous"])) == ids(first)
    assert ids(follow(third["previous"])) == ids(second)


@pytest.mark.parametrize("direction", ["next", "previous"])
def test_inserts_and_deletes_between_pages_repeat_and_lose_no_user(alone: Users, direction: str) -> None:
    staying = [alone.created()["id"] for _ in range(12)]
    leaving = [alone.created()["id"] for _ in range(6)]
    everybody = list(pages(alone.list(limit=3).json()))
    start = everybody[0] if direction == "next" else everybody[-1]
    steps: cycle[Callable[[], object]] = cycle([alone.created, lambda: leaving and alone.delete(leaving.pop())])

    def disturb() -> None:
        next(steps)()
        next(steps)()

    seen = ids(*pages(start, direction, disturb))
    assert len(seen) == len(set(seen))
    assert [user_id for user_id in seen if user_id in staying] == staying[:: -1 if direction == "next" else 1] or (
        direction == "previous" and set(staying) <= set(seen)
    )


def test_deleting_every_user_of_the_last_page_loses_no_other(alone: Users) -> None:
    newest_first = [alone.created()["id"] for _ in range(9)][::-1]
    page, seen = alone.list(limit=3).json(), list[str]()
    while True:
        seen += ids(page)
        for user_id in ids(page):
            alone.delete(user_id)
        if page["next"] is None:
            break
        page = follow(page["next"])
    assert seen == newest_first
    assert alone.list().json()["count"] == 0


def test_page_emptied_by_deletes_leads_back(alone: Users) -> None:
    newest_first = [alone.created()["id"] for _ in range(6)][::-1]
    first = alone.list(limit=3).json()
    for user_id in newest_first[3:]:
        alone.delete(user_id)
    empty = follow(first["next"])
    assert (empty["count"], empty["next"], empty["results"]) == (3, None, [])
    assert ids(follow(empty["previous"])) == newest_first[:3]


def test_page_emptied_by_deletes_leads_forth(alone: Users) -> None:
    newest_first = [alone.created()["id"] for _ in range(6)][::-1]
    second = follow(alone.list(limit=3).json()["next"])
    for user_id in newest_first[:3]:
        alone.delete(user_id)
    empty = follow(second["previous"])
    assert (empty["count"], empty["previous"], empty["results"]) == (3, None, [])
    assert ids(follow(empty["next"])) == newest_first[3:]


def test_page_of_an_emptied_store_leads_nowhere(alone: Users) -> None:
    user_ids = [alone.created()["id"] for _ in range(2)]
    first = alone.list(limit=1).json()
    for user_id in user_ids:
        alone.delete(user_id)
    assert follow(first["next"]) == {
        "count": 0,
        "next": None,
        "previous": None,
        "next_cursor": None,
        "previous_cursor": None,
        "results": [],
    }


def test_cursor_outlives_the_user_that_it_was_made_from(alone: Users) -> None:
    newest_first = [alone.created()["id"] for _ in range(4)][::-1]
    first = alone.list(limit=2).json()
    alone.delete(newest_first[1])
    assert ids(follow(first["next"])) == newest_first[2:]


def test_cursor_reads_the_same_again(alone: Users) -> None:
    for _ in range(4):
        alone.created()
    link = alone.list(limit=2).json()["next"]
    assert follow(link) == follow(link)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


BROKEN = [
    "x",
    "!!!!",
    "%",
    " ",
    "é",
    "\x00",
    "../..",
    "a" * 24,
    "a" * 101,
    "a" * 3000,
    UNKNOWN,
    "1",
    encoded(b""),
    encoded(b"o"),
    encoded(b"o" + b"\x01" * 15),
    encoded(b"o" + b"\x01" * 17),
    encoded(b"x" + b"\x01" * 16),
    encoded(b"\xff" * 17),
]


@pytest.mark.parametrize("cursor", BROKEN)
def test_broken_cursor_is_400(users: Users, cursor: str) -> None:
    assert faulty_fields(users.list(cursor=cursor)).keys() == {"cursor"}


def test_cursor_with_anything_added_or_removed_is_400(alone: Users) -> None:
    for _ in range(2):
        alone.created()
    cursor = alone.list(limit=1).json()["next"].partition("cursor=")[2].partition("&")[0]
    for broken in (cursor[:-1], cursor[1:], cursor + "A", cursor + "=", "A" + cursor, cursor[:5] + "." + cursor[6:]):
        assert faulty_fields(alone.list(cursor=broken)).keys() == {"cursor"}


def test_each_url_has_its_cursor(alone: Users) -> None:
    for _ in range(3):
        alone.created()
    first = alone.list(limit=1).json()
    second = alone.list(limit=1, cursor=first["next_cursor"]).json()
    assert first["next"].endswith(f"/users?cursor={first['next_cursor']}&limit=1")
    assert (first["previous_cursor"], ids(second)) == (None, ids(follow(first["next"])))
    assert ids(alone.list(limit=1, cursor=second["previous_cursor"]).json()) == ids(first)


def test_count_is_left_out_on_request_and_on_the_pages_that_follow(alone: Users) -> None:
    for _ in range(2):
        alone.created()
    page = alone.list(limit=1, count="false").json()
    assert "count" not in page
    assert "count" not in follow(page["next"])
    assert alone.list(count="no").status_code == 400
