"""What several partitions cost, where their keys lie, and Idempotency-Keys whose entry lies elsewhere."""

import asyncio
import hashlib
from binascii import crc_hqx
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest
import redis

from users_site.models import User
from users_site.repository.entries import Idempotency
from users_site.repository.errors import EmailTaken, IdempotencyKeyReused, RequestInProgress
from users_site.repository.keys import TAGS, Layout
from users_site.repository.users import UserRepository
from users_site.tests.repository.conftest import Process
from users_site.tests.repository.people import created, email_in, ids, leftovers, to, walk

SLOTS = 16384
_numbers = count()


def test_tags_are_spread_evenly_over_the_slots() -> None:
    slots = [crc_hqx(tag.encode(), 0) % SLOTS for tag in TAGS]
    for number in (16, 64):
        used = [slots[TAGS.index(partition.tag)] for partition in Layout(number).partitions]
        assert [slot * number // SLOTS for slot in used] == list(range(number))
        for primaries in (3, 4, 5, 6, 8, 16):
            shares = [sum(slot * primaries // SLOTS == owner for slot in used) for owner in range(primaries)]
            assert max(shares) - min(shares) <= 1


async def commands(url: str, work: Awaitable[Any]) -> list[str]:
    """The names of the commands that some work sends, without what scripts do."""
    with redis.Redis.from_url(url) as client, client.monitor() as monitor:
        client.ping()
        while "PING" not in monitor.next_command()["command"]:
            pass
        await work
        client.echo("end")
        seen = []
        while "end" not in (command := monitor.next_command())["command"]:
            if command["client_type"] != "lua":
                seen.append(command["command"].split(" ")[0])
        return seen


def key_in(users: UserRepository, number: int) -> Idempotency:
    """A fresh key of this partition."""
    name = next(name for name in map(str, _numbers) if users.store.layout.of_key(name, "").number == number)
    return Idempotency(name, hashlib.sha256(name.encode()).digest())


COSTS: dict[str, tuple[int, Callable[[UserRepository, User, User], Awaitable[Any]]]] = {
    "read": (1, lambda users, near, far: users.get(near.id)),
    "read far": (1, lambda users, near, far: users.get(far.id)),
    "create": (1, lambda users, near, far: users.create("Eve", email_in(users, 1), "user")),
    "create with a key": (1, lambda users, near, far: users.create("E", email_in(users, 1), "user", key_in(users, 1))),
    "create with a key elsewhere": (
        3,
        lambda users, near, far: users.create("E", email_in(users, 1), "user", key_in(users, 2)),
    ),
    "find": (1, lambda users, near, far: users.find(near.email)),
    "find far": (2, lambda users, near, far: users.find(far.email)),
    "change": (2, lambda users, near, far: users.update(near.id, to(name="Grace"), email=near.email)),
    "change far": (2, lambda users, near, far: users.update(far.id, to(name="Grace"))),
    "change far, email repeated": (2, lambda users, near, far: users.update(far.id, to(name="G"), email=far.email)),
    "move to another partition": (4, lambda users, near, far: move(users, near, 7)),
    "move to a third partition": (5, lambda users, near, far: move(users, far, 7)),
    "delete": (2, lambda users, near, far: users.delete(near.id)),
    "delete far": (3, lambda users, near, far: users.delete(far.id)),
}


async def move(users: UserRepository, user: User, number: int) -> None:
    email = email_in(users, number)
    await users.update(user.id, to(email=email), email=email)


@pytest.mark.parametrize("name", COSTS)
async def test_commands_of_each_operation(process: Process, server_url: str, name: str) -> None:
    users = process()
    near, far = await created(users, email_in(users, 3)), await created(users, email_in(users, 4))
    far = User.from_document(await users.update(far.id, to(email=email_in(users, 5))))
    await COSTS[name][1](users, near, far)  # loads the scripts
    near, far = await created(users, email_in(users, 3)), await created(users, email_in(users, 4))
    far = User.from_document(await users.update(far.id, to(email=email_in(users, 5))))
    expected, work = COSTS[name]
    assert len(await commands(server_url, work(users, near, far))) == expected


async def test_page_costs_at_most_one_range_of_each_partition_and_their_documents(
    process: Process, server_url: str
) -> None:
    users = process()
    made = sorted([(await created(users)).id for _ in range(100)], reverse=True)
    first = await users.page(20)
    seen = await commands(server_url, users.page(20, count=False))
    assert seen.count("ZRANGE") <= 16 + 2
    assert seen.count("MGET") <= 16
    assert len(await commands(server_url, users.page(20))) - len(seen) == 16
    assert ids(first) == made[:20]
    assert await walk(users, 7, "older") == made


async def test_users_of_one_partition_alone_are_found_by_a_second_look(process: Process) -> None:
    users = process()
    made = [(await created(users, email_in(users, 3))).id for _ in range(30)]
    made += [(await created(users, email_in(users, 4))).id for _ in range(3)]
    page = await users.page(20)
    assert ids(page) == made[::-1][:20]
    assert await walk(users, 20, "older") == made[::-1]
    back = (await users.page(20, page.older)).newer
    assert ids(await users.page(20, back)) == made[::-1][:20]


async def test_request_in_progress_then_finished_by_a_replay(process: Process) -> None:
    """The first process stops before the user is made; a replay has to wait, then does what is left."""
    slow, other, late = process(), process(), process(patience_ms=-1)
    email, key = email_in(slow, 1), key_in(slow, 2)

    async def replays() -> None:
        with pytest.raises(RequestInProgress) as caught:
            await other.create("Ada", email, "user", key)
        assert 0 < caught.value.seconds <= 60
        with pytest.raises(IdempotencyKeyReused):
            await other.create("Ada", email, "user", Idempotency(key.key, b"x" * 32))
        finished.append(await late.create("Ada", email, "user", key))

    finished: list[tuple[bytes, bool]] = []
    slow.store.pipe.stall = "create", replays  # type: ignore[attr-defined]
    document, _ = await slow.create("Ada", email, "user", key)
    assert finished == [(document, True)]
    assert await other.store.count() == 1


async def test_email_taken_between_the_steps_of_a_create_is_the_first_answer(process: Process) -> None:
    slow, other, late = process(), process(), process(patience_ms=-1)
    email, key = email_in(slow, 1), key_in(slow, 2)

    async def overtake() -> None:
        await other.create("Eve", email, "user")
        with pytest.raises(EmailTaken) as caught:
            await late.create("Ada", email, "user", key)
        assert caught.value.replayed

    slow.store.pipe.stall = "create", overtake  # type: ignore[attr-defined]
    with pytest.raises(EmailTaken) as caught:
        await slow.create("Ada", email, "user", key)
    assert not caught.value.replayed


async def test_replay_after_deletion_and_conflict_that_comes_again(process: Process) -> None:
    users = process()
    key, email = key_in(users, 2), email_in(users, 1)
    document, _ = await users.create("Ada", email, "user", key)
    await users.delete(User.from_document(document).id)
    kept = [await users.store.pipe.execute("get", b"GET", name) for name in await leftovers(users)]
    assert not [value for value in kept if b"Ada" in value or email.encode() in value]
    assert await users.create("Ada", email, "user", key) == (document, True)
    assert await users.store.count() == 0
    await users.create("Eve", email, "user")
    far, moved = email_in(users, 4), await created(users, email_in(users, 5))
    await users.update(moved.id, to(email=far))
    for taken, key in ((email, key_in(users, 3)), (far, key_in(users, 4))):
        for replayed in (False, True):
            with pytest.raises(EmailTaken) as caught:
                await users.create("Ada", taken, "user", key)
            assert caught.value.replayed is replayed


async def test_pages_asked_for_at_once_share_one_read_and_others_the_count(process: Process, server_url: str) -> None:
    users = process()
    await created(users)
    await users.page(20)
    seen = await commands(server_url, asyncio.gather(*(users.page(20) for _ in range(32))))
    assert seen.count("ZRANGE") == 16
    seen = await commands(server_url, asyncio.gather(users.page(20), users.page(20, count=False), users.page(19)))
    assert (seen.count("ZRANGE"), seen.count("ZCARD")) == (48, 16)


async def test_pages_asked_for_during_a_read_share_the_next_one(process: Process, server_url: str) -> None:
    users = process()
    await users.page(20)

    async def one_by_one() -> None:
        pages = []
        for _ in range(8):
            pages.append(asyncio.ensure_future(users.page(20, count=False)))
            await asyncio.sleep(0)
        await asyncio.gather(*pages)

    assert (await commands(server_url, one_by_one())).count("ZRANGE") == 32


async def test_page_asked_for_later_is_not_older_than_its_request(process: Process) -> None:
    """The first read is under way when a user is made and the page is asked for again."""
    reader, writer = process(), process()
    for _ in range(50):
        first = asyncio.ensure_future(reader.page(20))
        user = await created(writer)
        assert user.id in ids(await reader.page(20))
        await first


async def test_request_that_gives_up_leaves_the_page_to_the_others(process: Process) -> None:
    users = process()
    made = [(await created(users)).id]
    gone, stays = asyncio.ensure_future(users.page(20)), asyncio.ensure_future(users.page(20))
    await asyncio.sleep(0)
    gone.cancel()
    assert ids(await stays) == made
