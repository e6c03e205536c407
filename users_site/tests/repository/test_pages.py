"""Pages, their order and their neighbours."""

import pytest

from users_site.repository.pages import Page, Position, Side
from users_site.repository.users import UserRepository
from users_site.tests.repository.conftest import Process, pipe_of
from users_site.tests.repository.people import created, ids, walk


async def test_empty_store_is_an_empty_page(users: UserRepository) -> None:
    assert await users.page(20) == Page(0, b"")


@pytest.mark.parametrize("limit", [1, 2, 7, 10, 100])
async def test_walk_sees_every_user_once_newest_first(users: UserRepository, limit: int) -> None:
    newest_first = [(await created(users)).id for _ in range(10)][::-1]
    assert await walk(users, limit, "older") == newest_first
    start = Position(Side.NEWER, newest_first[-1], inclusive=True)
    assert await walk(users, limit, "newer", start) == newest_first[::-1]


@pytest.mark.parametrize("direction", ["older", "newer"])
async def test_inserts_and_deletes_between_pages_repeat_and_lose_no_user(users: UserRepository, direction: str) -> None:
    staying = [(await created(users)).id for _ in range(12)]
    leaving = [(await created(users)).id for _ in range(6)]

    async def disturb() -> None:
        await created(users)
        if leaving:
            await users.delete(leaving.pop())

    start = None if direction == "older" else Position(Side.NEWER, staying[0], inclusive=True)
    seen = await walk(users, 3, direction, start, disturb)
    assert len(seen) == len(set(seen))
    expected = staying if direction == "newer" else staying[::-1]
    assert [user_id for user_id in seen if user_id in staying] == expected


async def test_documents_on_a_page_are_those_stored(users: UserRepository) -> None:
    first, second = await created(users), await created(users)
    page = await users.page(20)
    assert page == Page(2, second.document() + b"," + first.document())


async def test_page_names_its_neighbours(users: UserRepository) -> None:
    a, b, c = [(await created(users)).id for _ in range(3)]
    first = await users.page(1)
    assert (ids(first), first.older, first.newer) == ([c], Position(Side.OLDER, c), None)
    middle = await users.page(1, first.older)
    assert (ids(middle), middle.older, middle.newer) == ([b], Position(Side.OLDER, b), Position(Side.NEWER, b))
    last = await users.page(1, middle.older)
    assert (ids(last), last.older, last.newer) == ([a], None, Position(Side.NEWER, a))
    assert ids(await users.page(1, last.newer)) == [b]


async def test_inclusive_position_holds_its_own_user(users: UserRepository) -> None:
    a, b, c = [(await created(users)).id for _ in range(3)]
    assert ids(await users.page(2, Position(Side.OLDER, b, inclusive=True))) == [b, a]
    assert ids(await users.page(2, Position(Side.NEWER, b, inclusive=True))) == [c, b]
    assert (await users.page(2, Position(Side.OLDER, c, inclusive=True))).newer is None
    assert (await users.page(2, Position(Side.NEWER, a, inclusive=True))).older is None


@pytest.mark.parametrize("is_inclusive", [False, True])
@pytest.mark.parametrize(("side", "back"), [(Side.OLDER, "newer"), (Side.NEWER, "older")])
async def test_the_way_back_does_not_depend_on_its_user(
    users: UserRepository, side: Side, back: str, is_inclusive: bool
) -> None:
    behind, start, ahead = [(await created(users)).id for _ in range(3)][:: -1 if side is Side.OLDER else 1]
    other = Side.NEWER if side is Side.OLDER else Side.OLDER
    position = Position(side, start, inclusive=is_inclusive)

    async def way_back() -> Position | None:
        found: Position | None = getattr(await users.page(2, position), back)
        return found

    assert await way_back() == Position(other, start if is_inclusive else ahead)
    await users.delete(start)
    assert await way_back() == Position(other, ahead)
    await users.delete(behind)
    assert await way_back() is None


@pytest.mark.parametrize(("side", "back"), [(Side.OLDER, "newer"), (Side.NEWER, "older")])
async def test_page_beyond_the_end_leads_back_to_every_user(users: UserRepository, side: Side, back: str) -> None:
    oldest_first = [(await created(users)).id for _ in range(3)]
    edge = oldest_first[0] if side is Side.OLDER else oldest_first[-1]
    page = await users.page(2, Position(side, edge))
    assert (page.count, page.documents) == (3, b"")
    other = "older" if back == "newer" else "newer"
    assert getattr(page, other) is None
    seen = await walk(users, 2, back, getattr(page, back))
    assert seen == (oldest_first if back == "newer" else oldest_first[::-1])


async def test_page_beyond_the_end_of_an_emptied_store_leads_nowhere(users: UserRepository) -> None:
    user = await created(users)
    await users.delete(user.id)
    for side in Side:
        assert await users.page(2, Position(side, user.id)) == Page(0, b"")


@pytest.mark.parametrize("partitions", [1, 16])
async def test_users_that_are_deleted_while_a_page_is_read_are_no_damage(
    process: Process, partitions: int, caplog: pytest.LogCaptureFixture
) -> None:
    users = process(partitions=partitions)
    made = [await created(users) for _ in range(3)]

    async def delete_all() -> None:
        for user in made:
            await users.delete(user.id)

    pipe_of(users).stall = "documents", delete_all
    assert await users.page(1, count=False) == Page(None, b"")
    assert caplog.text == ""


async def test_100_users_come_in_one_page(users: UserRepository) -> None:
    newest_first = [(await created(users)).id for _ in range(101)][::-1]
    page = await users.page(100)
    assert (page.count, ids(page)) == (101, newest_first[:100])
