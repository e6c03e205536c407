"""`users_total` while scrapes overlap."""

import asyncio
from types import SimpleNamespace
from typing import Any

from users_site.metrics import UsersTotal


class Users:
    """Counts one user, once it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.store = SimpleNamespace(layout=SimpleNamespace(count=1), ensure_open=self.let.wait, counts=self.counts)

    async def counts(self, seconds: float) -> dict[str, int]:
        return {"partition": 1}


async def test_a_scrape_that_has_counted_is_not_disturbed_by_one_that_begins() -> None:
    users: Any = Users()
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
