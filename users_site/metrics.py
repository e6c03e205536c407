"""The user service's own metrics."""

import asyncio
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.observability.metrics import collect_with
from users_site.repository.errors import RepositoryError
from users_site.repository.users import UserRepository

COUNT_SECONDS = 0.4
"""How long a scrape waits for the store; the contract bounds it by 500 ms."""


class UsersTotal(Collector):
    """`users_total` as the store said at this scrape; absent, not stale, when it did not answer."""

    def __init__(self) -> None:
        self.count: int | None = None

    async def look_up(self, users: UserRepository) -> None:
        """Asks the store how many users there are."""
        self.count = None
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                self.count = await users.count()
        except (RepositoryError, TimeoutError):
            return

    def describe(self) -> Iterator[Metric]:
        """Names without values: registering must not ask the store."""
        yield GaugeMetricFamily("users_total", "Users stored")
        yield GaugeMetricFamily("users_total_up", "1 if the store said how many users there are")

    def collect(self) -> Iterator[Metric]:
        """What `look_up` found."""
        if self.count is not None:
            yield GaugeMetricFamily("users_total", "Users stored", value=self.count)
        up = int(self.count is not None)
        yield GaugeMetricFamily("users_total_up", "1 if the store said how many users there are", value=up)


users_total = UsersTotal()
collect_with(users_total)
