"""Fixtures of both sites: one store, one user service and one gateway for a whole session; tests share them, not their data."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tools.processes.service import Service, service
from tools.processes.store import Store, store

# One slow example on a busy machine is not a failure.
settings.register_profile("busy machine", deadline=None)
if settings.get_current_profile_name() == "default":
    settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real store."""
    with store(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture(scope="session")
def users_service(tmp_path_factory: pytest.TempPathFactory, shared_store: Store) -> Iterator[Service]:
    """A real user service on the real store, as in production."""
    with service("users_site", tmp_path_factory.mktemp("users"), REDIS_URL=shared_store.url) as running:
        yield running


@pytest.fixture(scope="session")
def gateway_service(tmp_path_factory: pytest.TempPathFactory, users_service: Service) -> Iterator[Service]:
    """A real gateway before the real user service, as in production."""
    settings = {"USER_SERVICE_URL": users_service.url, "AUTH": "none"}
    with service("gateway_site", tmp_path_factory.mktemp("gateway"), **settings) as running:
        yield running


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: with several workers, one that starts last would be waited for alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
