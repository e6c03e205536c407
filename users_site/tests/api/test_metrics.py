"""Metrics of users and Redis."""

import asyncio
from types import SimpleNamespace
from typing import Any

import requests

from tests.metrics import sample
from tests.serving import serving
from tools.processes.store import Store
from users_site.metrics import UsersTotal
from users_site.tests.api.client import Users


def test_users_total_is_read_from_the_store_at_the_scrape(alone: Users) -> None:
    assert sample(alone, "users_total") == 0
    user_ids = [alone.created()["id"] for _ in range(3)]
    alone.delete(user_ids[0])
    assert sample(alone, "users_total") == 2


def test_users_total_is_absent_while_the_store_cannot_tell(alone: Users, own_store: Store) -> None:
    alone.created()
    with own_store.client() as client:
        client.rename("{users:0}:ids", "{users:0}:elsewhere")
        client.set("{users:0}:ids", "not an index")
        assert sample(alone, "users_total") is None
        assert sample(alone, "users_total_up") == 0
        client.flushall()
    assert sample(alone, "users_total") == 0
    assert sample(alone, "users_total_up") == 1


def test_a_scrape_does_not_wait_for_a_store_that_hangs(own_store: Store) -> None:
    with serving("users_site", REDIS_URL=own_store.url, REDIS_TIMEOUT_MS="20000") as running:
        assert sample(Users(running.url), "users_total_up") == 1
        own_store.freeze()
        try:
            text = requests.get(f"{running.url}/metrics", timeout=10).text
        finally:
            own_store.thaw()
    assert "users_total_up 0.0" in text
    assert "\nusers_total " not in text


def test_redis_operations_are_timed_by_name_and_outcome(alone: Users) -> None:
    name = 'redis_operation_duration_seconds_count{operation="get",status="ok"}'
    user_id = alone.created()["id"]
    before = sample(alone, name) or 0
    for _ in range(3):
        alone.get(user_id)
    assert sample(alone, name) == before + 3


class OneUser:
    """Counts one user, once it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.store = SimpleNamespace(layout=SimpleNamespace(count=1), ensure_open=self.let.wait, counts=self.counts)

    async def counts(self, seconds: float) -> dict[str, int]:
        return {"partition": 1}


async def test_a_scrape_that_has_counted_is_not_disturbed_by_one_that_begins() -> None:
    users: Any = OneUser()
    total = UsersTotal()
    users.let.set()
    await total.look_up(users)
    users.let.clear()
    second = asyncio.create_task(total.look_up(users))
    await asyncio.sleep(0.01)
    values = {family.name: family.samples[0].value for family in total.collect()}
    assert values == {"users_total": 1, "users_total_up": 1, "users_partitions_down": 0}
    users.let.set()
    await second
