"""The same tests on three stores: a server as in production, a cluster, and a server with several partitions."""

from collections.abc import AsyncIterator, Iterator

import pytest

from packages.redis_pipe import Address, Pipe
from tools.processes.cluster import cluster_url
from tools.processes.valkey import valkey_url
from users_site.repository.keys import Layout
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import HOME

STORES = {"valkey": (valkey_url, 1), "cluster": (cluster_url, 1), "partitions": (valkey_url, 16)}


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
    connection = Pipe(Address.from_url(url), timeout=20.0, connect_timeout=20.0, slot_key=HOME.index)
    await connection.execute("flush", b"FLUSHALL")
    repository = UserRepository(Store(connection, layout=Layout(partitions)))
    yield repository
    await repository.close()
