"""Every method on an unreachable store: unavailable, never absent."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from packages.redis_pipe import Address, Options, Pipe, Reason
from tools.processes.valkey import valkey
from users_site.repository import users as repository
from users_site.repository.errors import StoreUnavailable
from users_site.repository.keys import Layout
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.conftest import StallingPipe
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


@pytest.mark.parametrize("operation", ["epoch", "count", "ids"])
async def test_a_probe_and_a_page_do_not_wait_for_a_server_that_hangs(
    monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr(repository, "PAGE_SECONDS", 0.4)
    with valkey() as server:
        pipe = StallingPipe(Address.from_url(server.url))
        users = UserRepository(Store(pipe, layout=Layout(16 if operation == "ids" else 1)))
        await users.page(20)

        async def freeze() -> None:
            server.freeze()

        pipe.stall = operation, freeze
        with pytest.raises(StoreUnavailable) as raised:
            async with asyncio.timeout(5):
                await (users.page(20) if operation == "ids" else users.probe())
        assert raised.value.reason is Reason.TIMEOUT
        await users.close()


async def test_a_node_of_a_cluster_with_other_users_is_named_in_the_log(
    place: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    """Of redis:// to each node: all but the owner of the users refuse."""
    cluster = Address.from_url(place[0])
    options, reasons = Options(5.0, 5.0, password=lambda: cluster.password), []
    for _, port in cluster.nodes:
        users = UserRepository(Store(Pipe(Address.from_url(f"redis://127.0.0.1:{port}"), options)))
        try:
            await users.page(20)
        except StoreUnavailable as error:
            reasons.append(error.reason)
        await users.close()
    assert reasons == [Reason.MOVED] * (len(cluster.nodes) - 1)
    assert [text.partition(" and ")[0] for text in caplog.messages] == ["Redis is a node of a cluster"] * len(reasons)
