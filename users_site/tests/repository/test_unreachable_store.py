"""Every method on an unreachable store: unavailable, never absent."""

from collections.abc import Awaitable, Callable

import pytest

from packages.redis_pipe import Address, Options, Pipe
from users_site.repository.errors import StoreUnavailable
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import UNKNOWN, to

METHODS: dict[str, Callable[[UserRepository], Awaitable[object]]] = {
    "get": lambda users: users.get(UNKNOWN),
    "find": lambda users: users.find("a@example.org"),
    "page": lambda users: users.page(20),
    "create": lambda users: users.create("Ada", "a@example.org", "user"),
    "update": lambda users: users.update(UNKNOWN, to(name="Grace")),
    "delete": lambda users: users.delete(UNKNOWN),
    "probe": lambda users: users.probe(),
}


@pytest.mark.parametrize("name", METHODS)
async def test_method_raises_store_unavailable(name: str) -> None:
    users = UserRepository(Store(Pipe(Address.from_url("redis://127.0.0.1:1"), Options(5.0, 5.0))))
    with pytest.raises(StoreUnavailable) as raised:
        await METHODS[name](users)
    assert not raised.value.uncertain
    await users.close()


def test_every_public_method_is_tested() -> None:
    public = {name for name in vars(UserRepository) if not name.startswith("_")}
    assert public - {"close"} == METHODS.keys()
