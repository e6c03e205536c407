"""The operations of each method, as `redis_operation_duration_seconds` names them; each is one command."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from users_site.models import User
from users_site.repository.entries import Idempotency
from users_site.repository.errors import EmailTaken
from users_site.repository.pages import Position, Side
from users_site.repository.users import UserRepository
from users_site.tests.repository.conftest import Process, operations
from users_site.tests.repository.people import email_in, partition, swept, to, user_in


async def move(users: UserRepository, user: User, email: str) -> None:
    with suppress(EmailTaken):
        await users.update(user.id, to(email=email), email=email)


async def create(users: UserRepository, key_is_elsewhere: bool) -> None:
    """With an Idempotency-Key that belongs to another partition than the email, or to the same."""
    layout, email = users.store.layout, email_in(users, 1)
    keys = (Idempotency(f"key-{number}", bytes(32)) for number in range(1000))
    is_elsewhere = key_is_elsewhere and layout.count > 1
    key = next(key for key in keys if (layout.of_key(key.key, "") is not layout.of_email(email)) is is_elsewhere)
    await users.create("Eve", email, "user", key)


async def lose(users: UserRepository, user: User) -> None:
    """A page meets an index entry without a record."""
    await users.store.pipe.execute("lose", b"DEL", partition(users, user).record(user.id))
    await users.page(20)


# With one partition, with several if it differs: of a user near its email, or in another partition.
CASES: dict[str, tuple[Callable[[UserRepository, User, User], Awaitable[Any]], str, str]] = {
    "read": (lambda users, near, far: users.get(near.id), "get", ""),
    "read far": (lambda users, near, far: users.get(far.id), "get", ""),
    "find": (lambda users, near, far: users.find(near.email), "find", ""),
    "find far": (lambda users, near, far: users.find(far.email), "find", "find get"),
    "create": (lambda users, near, far: users.create("Eve", email_in(users, 1), "user"), "create", ""),
    "create with a key": (lambda users, near, far: create(users, False), "create", ""),
    "create with a key elsewhere": (lambda users, near, far: create(users, True), "create", "create finish reserve"),
    "change": (lambda users, near, far: users.update(near.id, to(name="G"), email=near.email), "get update", ""),
    "change far": (lambda users, near, far: users.update(far.id, to(name="G")), "get update", ""),
    "change far, email repeated": (
        lambda users, near, far: users.update(far.id, to(name="G"), email=far.email),
        "get update",
        "begin update",
    ),
    "move to another partition": (
        lambda users, near, far: move(users, near, email_in(users, 7)),
        "get update",
        "begin claim settle update",
    ),
    "move to a third partition": (
        lambda users, near, far: move(users, far, email_in(users, 7)),
        "get update",
        "begin claim settle suspect update",
    ),
    "move to a taken email": (
        lambda users, near, far: move(users, far, near.email),
        "get update",
        "abort begin claim suspect",
    ),
    "delete": (lambda users, near, far: users.delete(near.id), "delete get", ""),
    "delete far": (lambda users, near, far: users.delete(far.id), "delete get", "delete get suspect"),
}


async def near_and_far(users: UserRepository) -> tuple[User, User]:
    near, far = await user_in(users, 3), await user_in(users, 4)
    return near, User.from_document(await users.update(far.id, to(email=email_in(users, 5))))


@pytest.mark.parametrize("partitions", [1, 16])
@pytest.mark.parametrize(("work", "one", "several"), CASES.values(), ids=CASES)
async def test_operations_of_a_method(
    process: Process, partitions: int, work: Callable[..., Awaitable[Any]], one: str, several: str
) -> None:
    users = process(partitions=partitions)
    expected = one if partitions == 1 else several or one
    assert " ".join(await operations(users, work(users, *await near_and_far(users)))) == expected


@pytest.mark.parametrize("partitions", [1, 16])
async def test_operations_on_all_partitions(process: Process, partitions: int) -> None:
    users = process(partitions=partitions)
    assert {*await operations(users, users.probe())} == {"epoch", "count"}
    near, far = await near_and_far(users)
    pages = users.page(1), users.page(1, Position(Side.NEWER, near.id))
    assert {*await operations(users, *pages)} == {"ids", "documents", "count"}
    await move(users, far, email_in(users, 7))
    sweep = {"suspects"} if partitions == 1 else {"suspects", "judge", "claim", "sweep"}
    assert {*await operations(users, swept(users))} == sweep
    assert "scores" in await operations(users, lose(users, near))


async def test_a_new_store_of_one_partition_gets_no_key(process: Process) -> None:
    users = process(partitions=1)
    await users.probe()
    assert await users.store.pipe.execute("keys", b"KEYS", b"*") == []
