"""The same tests on two stores: a server as in production, and a cluster."""

from collections.abc import AsyncIterator, Iterator

import pytest

from packages.redis_pipe import Address, Pipe
from tools.processes.cluster import cluster_url
from tools.processes.valkey import valkey_url
from users_site.repository import keys
from users_site.repository.users import UserRepository

STORES = {"valkey": valkey_url, "cluster": cluster_url}


@pytest.fixture(scope="session", params=STORES)
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a store is."""
    with STORES[request.param]() as url:
        yield url


@pytest.fixture
async def users(store_url: str) -> AsyncIterator[UserRepository]:
    """A repository on an empty store."""
    connection = Pipe(Address.from_url(store_url), timeout=20.0, connect_timeout=20.0, slot_key=keys.index(0))
    await connection.execute("flush", b"FLUSHALL")
    repository = UserRepository(connection)
    yield repository
    await repository.close()
