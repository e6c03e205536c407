"""Creating with an idempotency key."""

import asyncio
import hashlib

import pytest

from users_site.models import User
from users_site.repository.entries import IDEMPOTENCY_SECONDS, Idempotency
from users_site.repository.errors import EmailTaken, IdempotencyKeyReused, RequestInProgress
from users_site.repository.users import UserRepository
from users_site.tests.repository.conftest import Process
from users_site.tests.repository.people import UNKNOWN, created, email_in, fresh_email, to


def request(key: str = "a-key", content: bytes = b"content") -> Idempotency:
    return Idempotency(key, hashlib.sha256(content).digest())


async def kept(users: UserRepository, key: str = "a-key", caller: str = "") -> bytes:
    """The entry of a key, in its partition."""
    partition = users.store.layout.of_key(key, caller)
    entry: bytes = await users.store.execute(partition, "get", b"GET", partition.idempotency(key, caller))
    return entry


async def test_24_at_once_make_one_user_and_none_is_a_conflict(users: UserRepository) -> None:
    email = fresh_email()
    creations = (users.create("Ada", email, "user", request()) for _ in range(24))
    outcomes = await asyncio.gather(*creations, return_exceptions=True)
    answers = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len({document for document, _ in answers}) == 1
    assert [replayed for _, replayed in answers].count(False) == 1
    running = [outcome for outcome in outcomes if isinstance(outcome, RequestInProgress)]
    assert len(answers) + len(running) == 24
    if users.store.layout.count == 1:
        assert not running
    assert await users.store.count() == 1


async def test_another_content_raises_reused_and_makes_nothing(users: UserRepository) -> None:
    await users.create("Ada", fresh_email(), "user", request())
    with pytest.raises(IdempotencyKeyReused):
        await users.create("Ada", fresh_email(), "user", request(content=b"another"))
    assert await users.store.count() == 1


async def test_key_belongs_to_its_caller(users: UserRepository) -> None:
    emails = {
        (caller, name): fresh_email() for caller in ("", "jwt:ada", "jwt:eve", "jwt:eve a") for name in ("a", "b")
    }
    for (caller, name), email in emails.items():
        key = Idempotency(name, hashlib.sha256(b"content").digest(), caller)
        first, replayed = await users.create("Ada", email, "user", key)
        assert not replayed
        assert await users.create("Ada", email, "user", key) == (first, True)
        entry = await kept(users, name, caller)
        assert entry[:33] == key.fingerprint + b"+"
    assert await users.store.count() == len(emails)


async def test_first_answer_outlives_a_change_and_a_deletion(users: UserRepository) -> None:
    email = fresh_email()
    first, _ = await users.create("Ada", email, "user", request())
    user = User.from_document(first)
    await users.update(user.id, to(name="Grace", email=fresh_email()))
    assert await users.create("Ada", email, "user", request()) == (first, True)
    await users.delete(user.id)
    assert await users.create("Ada", email, "user", request()) == (first, True)
    assert await users.store.count() == 0


async def test_conflict_comes_again_too(users: UserRepository) -> None:
    holder = await created(users)
    outcomes = []
    for _ in range(2):
        with pytest.raises(EmailTaken) as raised:
            await users.create("Eve", holder.email, "user", request())
        outcomes.append(raised.value.replayed)
    assert outcomes == [False, True]
    assert await kept(users) == request().fingerprint + b"-"
    with pytest.raises(IdempotencyKeyReused):
        await users.create("Eve", holder.email, "user", request(content=b"another"))


@pytest.mark.parametrize(("number", "state"), [(2, b"*"), (3, b"\xff")])
async def test_entry_of_a_later_version_is_neither_a_conflict_nor_a_new_user(
    users: UserRepository, number: int, state: bytes
) -> None:
    """In the partition of the email, and in another one."""
    entry = users.store.layout.of_key(f"key-{number}", "")
    later = request().fingerprint + state + b"what comes later"
    await users.store.execute(entry, "set", b"SET", entry.idempotency(f"key-{number}"), later)
    with pytest.raises(RequestInProgress) as raised:
        await users.create("Ada", email_in(users, 0), "user", request(f"key-{number}"))
    assert raised.value.seconds == 5
    assert await users.store.count() == 0


async def test_entries_of_earlier_versions_are_answers(process: Process) -> None:
    users = process(partitions=1)
    email, partition = email_in(users, 0), users.store.layout.of_key("a-key", "")
    document = User(UNKNOWN, "Ada", email, "user", "then", "then").document()
    for entry in (document, b""):
        await users.store.execute(
            partition, "set", b"SET", partition.idempotency("a-key"), request().fingerprint + entry
        )
        if entry:
            assert await users.create("Ada", email, "user", request()) == (document, True)
        else:
            with pytest.raises(EmailTaken):
                await users.create("Ada", email, "user", request())
    assert await users.store.count() == 0


@pytest.mark.parametrize("taken", [False, True])
async def test_key_lives_24_hours(users: UserRepository, taken: bool) -> None:
    email = fresh_email()
    if taken:
        await created(users, email)
    await asyncio.gather(users.create("Ada", email, "user", request()), return_exceptions=True)
    entry = users.store.layout.of_key("a-key", "").idempotency("a-key")
    left = await users.store.pipe.execute("ttl", b"TTL", entry)
    assert IDEMPOTENCY_SECONDS - 60 <= left <= IDEMPOTENCY_SECONDS == 86_400
