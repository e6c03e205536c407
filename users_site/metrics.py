"""The user service's own metrics."""

import asyncio
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.observability.metrics import collect_with
from users_site.repository.errors import RepositoryError
from users_site.repository.users import UserRepository

COUNT_SECONDS = 0.4
"""The longest wait of a scrape for the store."""


class UsersTotal(Collector):
    """`users_total` at the time of the scrape; absent, not stale, if the store does not answer."""

    def __init__(self) -> None:
        self.count: int | None = None

    async def look_up(self, users: UserRepository) -> None:
        """Counts the users, within COUNT_SECONDS."""
        self.count = None
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                self.count = await users.count()
        except (RepositoryError, TimeoutError):
            return

    def describe(self) -> Iterator[Metric]:
        """Names without values: registering must not ask the store."""
        yield GaugeMetricFamily("users_total", "Users stored")
        yield GaugeMetricFamily("users_total_up", "1 if the store answered with the number of users")

    def collect(self) -> Iterator[Metric]:
        """The result of `look_up`."""
        if self.count is not None:
            yield GaugeMetricFamily("users_total", "Users stored", value=self.count)
        up = int(self.count is not None)
        yield GaugeMetricFamily("users_total_up", "1 if the store answered with the number of users", value=up)


users_total = UsersTotal()
collect_with(users_total)
