"""The operations of each method, as `redis_operation_duration_seconds` names them."""

from collections.abc import Awaitable
from typing import Any

import pytest

from packages.redis_pipe import Address, Options, Pipe
from users_site.repository.entries import Idempotency
from users_site.repository.errors import EmailTaken
from users_site.repository.keys import Layout
from users_site.repository.pages import Position, Side
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.conftest import Process
from users_site.tests.repository.people import email_in, partition, swept, to, user_in

ACROSS = {"begin", "claim", "suspect", "update", "settle"}
"""A change of email into another partition, of a user whose email was there before."""


@pytest.mark.parametrize("partitions", [1, 16])
async def test_operations_are_named(process: Process, server_url: str, partitions: int) -> None:
    await process(partitions=partitions).probe()  # the store is empty
    seen: set[str] = set()
    options = Options(20.0, 20.0, observe=lambda labels, _: seen.add(labels[0]))
    users = UserRepository(Store(Pipe(Address.from_url(server_url), options), layout=Layout(partitions)))

    async def operations(*doing: Awaitable[Any]) -> set[str]:
        seen.clear()
        for each in doing:
            await each
        return set(seen)

    async def taken(email: str) -> None:
        with pytest.raises(EmailTaken):
            await users.update(user.id, to(email=email), email=email)

    several = partitions > 1
    user, other = await user_in(users, 3), await user_in(users, 5)
    emails = [email_in(users, number) for number in (4, 6)]
    keys = [Idempotency(f"key-{number}", bytes(32)) for number in range(4)]
    moving = [users.update(user.id, to(email=email), email=email) for email in emails]
    creating = [users.create("Ada", email_in(users, 0), "user", key) for key in keys]
    assert await operations(users.probe()) == {"epoch", "count"}
    assert await operations(users.get(user.id), users.find(user.email)) == {"get", "find"}
    pages = users.page(1), users.page(1, Position(Side.NEWER, user.id))
    assert await operations(*pages) == {"ids", "documents", "count"}
    assert await operations(users.update(user.id, to(name="Grace"))) == {"get", "update"}
    assert await operations(*moving) == (ACROSS if several else {"get", "update"})
    assert await operations(users.find(emails[1])) == ({"find", "get"} if several else {"find"})
    assert await operations(taken(other.email)) == (
        {"begin", "claim", "suspect", "abort"} if several else {"get", "update"}
    )
    assert await operations(*creating) == ({"reserve", "create", "finish"} if several else {"create"})
    assert await operations(swept(users)) == ({"suspects", "judge", "claim", "sweep"} if several else {"suspects"})
    await users.store.pipe.execute("any", b"DEL", partition(users, other).record(other.id))
    assert "scores" in await operations(users.page(20))
    assert await operations(users.delete(user.id)) == ({"get", "delete", "suspect"} if several else {"get", "delete"})
    await users.close()
