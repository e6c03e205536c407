from collections.abc import Iterator

import pytest

from tests.serving import Served, serving
from tools.processes.service import Service
from tools.processes.store import Store, store
from users_site.tests.api.client import Users


@pytest.fixture
def users(users_service: Service) -> Users:
    """The service that all tests share."""
    return Users(users_service.url)


@pytest.fixture(scope="session")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that one test at a time may empty, fill and kill; it is restored for the next."""
    with store(tmp_path_factory.mktemp("own-valkey")) as running:
        yield running


@pytest.fixture(scope="module")
def own_service(own_store: Store) -> Iterator[Served]:
    """The service on that store, in this process."""
    with serving("users_site", REDIS_URL=own_store.url) as running:
        yield running


@pytest.fixture
def alone(own_service: Served, own_store: Store) -> Users:
    """A service on an empty store of its own."""
    with own_store.client() as client:
        client.flushall()
    return Users(own_service.url)
