"""Pages and their cursors, while others create and delete."""

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
    assert [ids(page) for page in back[::-1]] == [ids(page) for page in forth]
    assert all(page["count"] == 12 for page in forth + back)


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


BROKEN = ["x", "!!!!", " ", "\x00", "a" * 24, "a" * 3000, UNKNOWN]


def test_broken_cursor_is_400(alone: Users) -> None:
    for _ in range(2):
        alone.created()
    cursor = alone.list(limit=1).json()["next_cursor"]
    for broken in (*BROKEN, cursor[:-1], cursor[1:], cursor + "A", cursor + "=", cursor[:5] + "." + cursor[6:]):
        assert faulty_fields(alone.list(cursor=broken)).keys() == {"cursor"}, broken


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
