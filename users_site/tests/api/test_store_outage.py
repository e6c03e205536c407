"""A store that is killed, hung or restarted."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tools.processes.cluster import until
from tools.processes.service import service
from tools.processes.store import Store, store
from users_site.tests.api.client import UNKNOWN, Users, fresh_email, problem

PROMPT = 4.0
REQUESTS: dict[str, Callable[[Users], requests.Response]] = {
    "read": lambda users: users.get(UNKNOWN),
    "page": lambda users: users.list(),
    "find": lambda users: users.list(email="a@example.org"),
    "create": lambda users: users.post({"name": "Ada", "email": fresh_email()}),
    "replace": lambda users: users.put(UNKNOWN, {"name": "Ada", "email": fresh_email()}),
    "patch": lambda users: users.patch(UNKNOWN, {"name": "Ada"}),
    "delete": lambda users: users.delete(UNKNOWN),
}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Users]]:
    folders = tmp_path_factory.mktemp("mortal-valkey"), tmp_path_factory.mktemp("mortal-users")
    # always: with everysec a write waits, acknowledged, for a sync that is going on (2 s at most), and kill -9 loses it.
    with (
        store(folders[0], appendfsync="always") as redis,
        service("users_site", folders[1], REDIS_URL=redis.url) as running,
    ):
        yield redis, Users(running.url)


@pytest.fixture
def pair(mortal: tuple[Store, Users]) -> Iterator[tuple[Store, Users]]:
    """A store that may be killed and the service on it, both healthy before and after."""
    redis, users = mortal
    until(users.is_ready)
    yield redis, users
    if not redis.is_running:
        redis.start()
    redis.thaw()


def assert_only_alive(users: Users) -> None:
    assert users.health("/ready") == (503, "not ready")
    assert users.health("/live") == (200, "alive")
    assert users.health("") == (200, "healthy")


def test_every_request_is_503_at_once_while_the_store_is_down(pair: tuple[Store, Users]) -> None:
    redis, users = pair
    redis.kill()
    for name, ask in REQUESTS.items():
        started = time.monotonic()
        problem(ask(users), 503, "store-unavailable")
        assert time.monotonic() - started < PROMPT, name
    assert_only_alive(users)


def test_every_request_is_503_soon_while_the_store_hangs(pair: tuple[Store, Users]) -> None:
    redis, users = pair
    redis.freeze()
    with ThreadPoolExecutor(len(REQUESTS)) as pool:
        started = time.monotonic()
        answers = list(pool.map(lambda ask: ask(users), REQUESTS.values()))
        assert time.monotonic() - started < PROMPT
    for name, answer in zip(REQUESTS, answers, strict=True):
        detail = problem(answer, 503, "store-unavailable")["detail"]
        assert ("change" in detail) == (name not in {"read", "page", "find"}), "only a change may have been made"
    assert_only_alive(users)
    redis.thaw()
    until(users.is_ready)
