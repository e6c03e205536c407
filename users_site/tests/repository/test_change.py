"""Changing and deleting."""

import asyncio
from dataclasses import replace

import pytest

from packages.redis_pipe import Reason
from users_site.models import User
from users_site.repository.change import version
from users_site.repository.errors import EmailTaken, StoreUnavailable, UserNotFound, VersionMismatch
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import UNKNOWN, created, fresh_email, leftovers, partition, swept, to


async def test_changed_document_is_answered_and_kept(users: UserRepository) -> None:
    user = await created(users)
    document = await users.update(user.id, to(name="Grace", role="admin"))
    changed = User.from_document(document)
    assert replace(changed, updated_at="") == replace(user, name="Grace", role="admin", updated_at="")
    assert changed.updated_at > user.updated_at
    assert await users.get(user.id) == document
    assert await users.find(user.email) == document


async def test_change_of_nothing_rewrites_a_record_that_is_written_otherwise(users: UserRepository) -> None:
    user = await created(users)
    older = user.document().replace(b'","', b'", "')
    await users.store.pipe.execute("set", b"SET", partition(users, user).record(user.id), older)
    document = await users.update(user.id, to())
    assert document == User.from_document(document).document() == await users.get(user.id)
    assert await users.update(user.id, to()) == document


async def test_id_and_creation_time_cannot_be_changed(users: UserRepository) -> None:
    user = await created(users)
    never = {"created_at": "never", "updated_at": "never"}
    assert await users.update(user.id, to(id=UNKNOWN, **never)) == user.document(), "nothing else changes"
    changed = User.from_document(await users.update(user.id, to(id=UNKNOWN, name="Grace", **never)))
    assert (changed.id, changed.created_at) == (user.id, user.created_at)
    assert changed.updated_at != "never"


async def test_moved_email_frees_the_old_one_and_takes_the_new_one(users: UserRepository) -> None:
    user, email = await created(users), fresh_email()
    document = await users.update(user.id, to(email=email))
    assert await users.find(email.upper()) == document
    assert await users.find(user.email) is None
    await created(users, user.email)
    with pytest.raises(EmailTaken):
        await users.create("Eve", email, "user")


async def test_case_of_the_own_email_may_change(users: UserRepository) -> None:
    user = await created(users, "ada@example.org")
    document = await users.update(user.id, to(email="ADA@example.org"))
    assert await users.find("ada@example.org") == document
    with pytest.raises(EmailTaken):
        await users.create("Eve", "ada@example.org", "user")


async def test_email_of_another_raises_and_changes_nothing(users: UserRepository) -> None:
    user, other = await created(users), await created(users)
    with pytest.raises(EmailTaken):
        await users.update(user.id, to(name="Eve", email=other.email.upper()))
    assert await users.get(user.id) == user.document()
    assert await users.find(user.email) == user.document()
    assert await users.find(other.email) == other.document()


async def test_unknown_id_raises_not_found(users: UserRepository) -> None:
    with pytest.raises(UserNotFound):
        await users.update(UNKNOWN, to(name="Grace"))
    with pytest.raises(UserNotFound):
        await users.delete(UNKNOWN)


async def test_another_version_raises_mismatch_and_changes_nothing(users: UserRepository) -> None:
    user = await created(users)
    with pytest.raises(VersionMismatch):
        await users.update(user.id, to(name="Grace"), lambda document: False)
    with pytest.raises(VersionMismatch):
        await users.delete(user.id, lambda document: False)
    assert await users.get(user.id) == user.document()


async def test_condition_is_asked_of_the_document_that_is_changed(users: UserRepository) -> None:
    user = await created(users)
    asked: list[bytes] = []
    changed = await users.update(user.id, to(name="Grace"), lambda document: not asked.append(document))
    await users.delete(user.id, lambda document: not asked.append(document))
    assert asked == [user.document(), changed]


async def test_what_the_change_raises_comes_through_and_changes_nothing(users: UserRepository) -> None:
    def refuse(user: User) -> User:
        raise LookupError(user.name)

    user = await created(users)
    with pytest.raises(LookupError):
        await users.update(user.id, refuse)
    assert await users.get(user.id) == user.document()


async def test_16_changes_at_once_each_build_on_another(users: UserRepository) -> None:
    user = await created(users, name="0")

    def increment(current: User) -> User:
        return replace(current, name=str(int(current.name) + 1))

    documents = await asyncio.gather(*(users.update(user.id, increment) for _ in range(16)))
    assert len({version(document) for document in documents}) == 16
    assert User.from_document(await users.get(user.id)).name == "16"


async def test_one_of_16_conditional_changes_at_once_gets_through(users: UserRepository) -> None:
    user = await created(users)
    tag = version(user.document())
    changes = (users.update(user.id, to(name=f"N{n}"), lambda document: version(document) == tag) for n in range(16))
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sum(isinstance(outcome, VersionMismatch) for outcome in outcomes) == 15


async def test_change_that_always_loses_gives_up_after_100_attempts(
    users: UserRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, read, reads = await created(users), users._read, 0

    async def overtaken(user_id: str) -> bytes:
        """Another writer changes the record whenever it has been read."""
        nonlocal reads
        document, reads = await read(user_id), reads + 1
        other = replace(user, name=f"N{reads}").document()
        await users.store.pipe.execute("set", b"SET", partition(users, user).record(user.id), other)
        return document

    monkeypatch.setattr(users, "_read", overtaken)
    for change in (users.update(user.id, to(name="Grace")), users.delete(user.id)):
        reads = 0
        with pytest.raises(StoreUnavailable) as raised:
            await change
        assert (raised.value.reason, reads) == (Reason.BUSY, 100)


async def test_deleted_user_leaves_nothing(users: UserRepository) -> None:
    user = await created(users)
    await users.delete(user.id)
    with pytest.raises(UserNotFound):
        await users.get(user.id)
    assert await users.find(user.email) is None
    assert await users.store.count() == 0
    assert await leftovers(users) == []


async def test_user_deleted_between_read_and_write_raises_not_found(
    users: UserRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = users._read

    async def overtaken(user_id: str) -> bytes:
        document = await read(user_id)
        monkeypatch.setattr(users, "_read", read)
        await users.delete(user_id)
        return document

    for change in (lambda user: users.update(user.id, to(name="G", email=fresh_email())), lambda u: users.delete(u.id)):
        user = await created(users)
        monkeypatch.setattr(users, "_read", overtaken)
        with pytest.raises(UserNotFound):
            await change(user)
    assert await leftovers(users) == []


async def test_delete_against_changes_leaves_nothing(users: UserRepository) -> None:
    for _ in range(5):
        user = await created(users)
        changes = [users.update(user.id, to(email=fresh_email())) for _ in range(8)]
        await asyncio.gather(*changes, users.delete(user.id), return_exceptions=True)
    await swept(users)
    assert await leftovers(users) == []


async def test_one_of_8_deletes_at_once_deletes(users: UserRepository) -> None:
    user = await created(users)
    outcomes = await asyncio.gather(*(users.delete(user.id) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(outcome, UserNotFound) for outcome in outcomes) == 7
