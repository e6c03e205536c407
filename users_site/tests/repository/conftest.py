"""The same tests on three stores: fakeredis, the real server as in production, and a cluster of it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from packages.redis_pipe.address import Address
from packages.redis_pipe.connection import Connection
from users_site.repository import scripts
from users_site.repository.users import UserRepository
from users_site.tests.cluster import cluster_url
from users_site.tests.fake import fake_url
from users_site.tests.valkey import valkey_url

SCRIPTS = (scripts.CREATE, scripts.REPLACE, scripts.DELETE, scripts.PAGE, scripts.FIND)
STORES = {"fakeredis": fake_url, "valkey": valkey_url, "cluster": cluster_url}


@pytest.fixture(scope="session", params=STORES)
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a store is."""
    with STORES[request.param]() as url:
        yield url


@pytest.fixture
async def users(store_url: str) -> AsyncIterator[UserRepository]:
    """A repository on an empty store."""
    connection = Connection(Address.from_url(store_url), timeout=20.0, connect_timeout=20.0)
    await connection.execute("flush", b"FLUSHALL")
    for script in SCRIPTS:
        # fakeredis hangs up after every error reply: NOSCRIPT must not come. The connection's tests let it come.
        await connection.execute("load", b"SCRIPT", b"LOAD", script.source)
    repository = UserRepository(connection)
    yield repository
    await repository.close()
