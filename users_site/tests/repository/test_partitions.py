"""What several partitions cost, where their keys lie, and Idempotency-Keys whose entry lies elsewhere."""

import asyncio
import hashlib
from binascii import crc_hqx
from itertools import count

import pytest

from users_site.models import User
from users_site.repository.entries import Idempotency
from users_site.repository.errors import EmailTaken, IdempotencyKeyReused, RequestInProgress
from users_site.repository.keys import TAGS, Layout
from users_site.repository.users import UserRepository
from users_site.tests.repository.conftest import Process, operations, pipe_of
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


def key_in(users: UserRepository, number: int) -> Idempotency:
    """A fresh key of this partition."""
    name = next(name for name in map(str, _numbers) if users.store.layout.of_key(name, "").number == number)
    return Idempotency(name, hashlib.sha256(name.encode()).digest())


async def test_page_costs_at_most_one_range_of_each_partition_and_their_documents(process: Process) -> None:
    users = process()
    made = sorted([(await created(users, email_in(users, n * 7 % 16))).id for n in range(100)], reverse=True)
    first = await users.page(20)
    seen = await operations(users, users.page(20, count=False))
    assert (seen.count("ids"), seen.count("documents")) == (16, 16)
    assert len(await operations(users, users.page(20))) - len(seen) == 16
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
    pipe_of(slow).stall = "create", replays
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

    pipe_of(slow).stall = "create", overtake
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


async def test_pages_asked_for_at_once_share_one_read_and_others_the_count(process: Process) -> None:
    users = process()
    await created(users)
    await users.page(20)
    seen = await operations(users, asyncio.gather(*(users.page(20) for _ in range(32))))
    assert seen.count("ids") == 16
    seen = await operations(users, asyncio.gather(users.page(20), users.page(20, count=False), users.page(19)))
    assert (seen.count("ids"), seen.count("count")) == (48, 16)


async def test_pages_asked_for_during_a_read_share_the_next_one(process: Process) -> None:
    users = process()
    await users.page(20)

    async def one_by_one() -> None:
        pages = []
        for _ in range(8):
            pages.append(asyncio.ensure_future(users.page(20, count=False)))
            await asyncio.sleep(0)
        await asyncio.gather(*pages)

    assert (await operations(users, one_by_one())).count("ids") == 32


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
