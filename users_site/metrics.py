import asyncio
from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.observability.metrics import collect_with
from users_site.repository.errors import RepositoryError
from users_site.repository.users import UserRepository

COUNT_SECONDS = 0.4
"""The longest wait of a scrape for the store."""


class UsersTotal(Collector):
    """`users_total`, counted at the scrape; absent, not stale, if a part of the store does not answer."""

    def __init__(self) -> None:
        self.counts: list[int | None] = [None]  # by partition

    async def look_up(self, users: UserRepository) -> None:
        counts: list[int | None] = [None] * users.store.layout.count
        with suppress(RepositoryError, TimeoutError):
            async with asyncio.timeout(COUNT_SECONDS):
                await users.store.ensure_open()
                found = await users.store.counts(COUNT_SECONDS * 0.75)
                counts = [count if isinstance(count, int) else None for count in found.values()]
        self.counts = counts  # at the end: another scrape may collect meanwhile

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Names without values: registration must not query the store."""
        yield GaugeMetricFamily("users_total", "Users stored")
        yield GaugeMetricFamily(
            "users_total_up", "1 if the store, or one of its partitions, answered with its number of users"
        )
        yield GaugeMetricFamily("users_partitions_down", "Partitions of the store that did not answer")

    def collect(self) -> Iterator[Metric]:
        total, up, down = self.describe()
        found = [count for count in self.counts if count is not None]
        if len(found) == len(self.counts):
            total.add_metric([], sum(found))
            yield total
        up.add_metric([], int(bool(found)))
        down.add_metric([], len(self.counts) - len(found))
        yield from (up, down)


users_total = UsersTotal()
collect_with(users_total)
