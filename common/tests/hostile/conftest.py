"""The site under test, and what it did with the bytes."""

from collections.abc import Iterator

import pytest
import requests

from common.tests.hostile.target import Target
from tests.recording import recording
from tests.site import IS_GATEWAY, SITE
from tools.processes.service import service
from tools.processes.store import store


@pytest.fixture(scope="session")
def running_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The gateway before an upstream that records, or the user service on a store of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    if IS_GATEWAY:
        with recording() as upstream:
            settings = {"USER_SERVICE_URL": upstream.url, "AUTH": "none"}
            with service(SITE, folder, **settings) as running:
                yield Target(running, upstream)
        return
    with store(folder) as redis, service(SITE, folder, REDIS_URL=redis.url) as running:
        yield Target(running, None)


@pytest.fixture
def target(running_target: Target) -> Iterator[Target]:
    """Checks that the site serves before and after each test."""
    running_target.forget()
    yield running_target
    assert requests.get(f"{running_target.service.url}/health/live", timeout=10).status_code == 200
    assert running_target.service.process.poll() is None
    assert '"error.type"' not in running_target.service.log.read_text()
