"""The pair as `make run` starts it."""

from collections.abc import Iterator

import pytest

from tools.processes.service import Service, service
from tools.processes.store import Store


@pytest.fixture(scope="session")
def dev_gateway(tmp_path_factory: pytest.TempPathFactory, shared_store: Store) -> Iterator[Service]:
    """The gateway; DEBUG is on at both sites."""
    folder = tmp_path_factory.mktemp("dev")
    with (
        service("users_site", folder, REDIS_URL=shared_store.url, DEBUG="true") as users,
        service("gateway_site", folder, USER_SERVICE_URL=users.url, AUTH="none", DEBUG="true") as gateway,
    ):
        yield gateway
