"""The same tests on a server with one partition and on a cluster with several."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import pytest

from packages.redis_pipe import Address, Options, Pipe, connect
from tools.processes.cluster import cluster_url
from tools.processes.valkey import valkey_url
from users_site.repository.keys import Layout
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import PARTITION

STORES = {"server": (valkey_url, 1), "cluster": (cluster_url, 16)}


@pytest.fixture(scope="session", params=STORES)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Where a store is, and its number of partitions."""
    start, partitions = STORES[request.param]
    with start() as url:
        yield url, partitions


@pytest.fixture
async def users(place: tuple[str, int]) -> AsyncIterator[UserRepository]:
    """A repository on an empty store."""
    url, partitions = place
    layout = Layout(partitions)
    connection = connect(Address.from_url(url), PARTITION.index, Options(20.0, 20.0))
    for each in (PARTITION, *layout.partitions):
        await connection.at(each.index).execute("flush", b"FLUSHALL")
    repository = UserRepository(Store(connection, layout=layout))
    yield repository
    await repository.close()


Process = Callable[..., UserRepository]


class StallingPipe(Pipe):
    """Runs `meanwhile` before the first command of this operation; lists all operations."""

    stall: tuple[str, Callable[[], Awaitable[Any]]] | None = None

    def __init__(self, address: Address) -> None:
        self.operations: list[str] = []
        super().__init__(address, Options(20.0, 20.0, observe=lambda labels, _: self.operations.append(labels[0])))

    def issue(self, operation: str, *args: Any) -> Any:
        if self.stall is None or self.stall[0] != operation:
            return super().issue(operation, *args)
        meanwhile, self.stall = self.stall[1], None
        return self._issue_after(meanwhile(), operation, *args)

    async def _issue_after(self, meanwhile: Awaitable[Any], operation: str, *args: Any) -> Any:
        await meanwhile
        return await super().issue(operation, *args)


def pipe_of(users: UserRepository) -> StallingPipe:
    return cast(StallingPipe, users.store.pipe)


async def operations(users: UserRepository, *doing: Awaitable[Any]) -> list[str]:
    """The operations of some work, one command each, sorted."""
    pipe_of(users).operations.clear()
    for each in doing:
        await each
    return sorted(pipe_of(users).operations)


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with valkey_url() as url:
        yield url


@pytest.fixture
async def process(server_url: str) -> AsyncIterator[Process]:
    """Makes the repository of one process over 16 partitions of one server; the store is empty at first."""
    made: list[UserRepository] = []

    def make(*, patience_ms: int = 60_000, partitions: int = 16) -> UserRepository:
        pipe = StallingPipe(Address.from_url(server_url))
        made.append(UserRepository(Store(pipe, layout=Layout(partitions)), patience_ms=patience_ms))
        return made[-1]

    await make().store.pipe.execute("flush", b"FLUSHALL")
    yield make
    for users in made:
        await users.close()
