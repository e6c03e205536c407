"""The user service's own metrics."""

import asyncio
from collections.abc import Iterator
from functools import lru_cache

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.observability.metrics import collect_with
from users_site.repository.errors import RepositoryError
from users_site.repository.users import UserRepository

BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
COUNT_SECONDS = 0.4
"""How long a scrape waits for the store; the contract bounds it by 500 ms."""

REDIS_DURATION = Histogram(
    "redis_operation_duration_seconds", "From issue to reply", ("operation", "status"), buckets=BUCKETS
)


@lru_cache(maxsize=256)
def _child(operation: str, status: str) -> Histogram:
    return REDIS_DURATION.labels(operation, status)


def observe_redis(operation: str, status: str, seconds: float) -> None:
    """Counts one command; both labels come from the repository's closed sets."""
    _child(operation, status).observe(seconds)


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
