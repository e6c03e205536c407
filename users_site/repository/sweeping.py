"""Deletes stale claims: their user was deleted or has another email, or a change was abandoned.

A stale claim does no harm, because the user's record decides. It is deleted late, because a failover of the user's
partition may undo the change.
"""

import asyncio
import logging
import random

from common.observability.notices import Notices
from users_site.repository import scripts
from users_site.repository.claims import Verdict, judge, now_ms, suspect
from users_site.repository.cross_partition import CrossPartition
from users_site.repository.errors import RepositoryError
from users_site.repository.keys import Partition

EVERY_SECONDS = 30.0
BATCH = 1000
"""Suspects of a partition per round."""

logger = logging.getLogger(__name__)
_notices = Notices(logger)


class Sweeper:
    """Checks the suspects of every partition periodically. Several processes may do so concurrently."""

    def __init__(self, cross_partition: CrossPartition) -> None:
        self.store, self.cross_partition = cross_partition.store, cross_partition

    async def run(self) -> None:
        """Sweeps until cancelled; with one partition there is nothing to do."""
        while self.store.layout.count > 1:
            await asyncio.sleep(EVERY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            for partition in self.store.layout.partitions:
                try:
                    await self.sweep(partition)
                except RepositoryError as error:
                    _warn(partition, error)

    async def sweep(self, partition: Partition, now: int | None = None) -> None:
        """Checks the suspects of one partition that are due (`now` in ms), and postpones one that it cannot judge.
        Raises StoreUnavailable."""
        words = ("-inf", now_ms() if now is None else now, "BYSCORE", "LIMIT", 0, BATCH, "WITHSCORES")
        found = await self.store.execute(partition, "suspects", b"ZRANGE", partition.suspects, *words)
        for email_identity, score in zip(found[::2], found[1::2], strict=True):
            try:
                await self._look(partition, email_identity, score)
            except RepositoryError as error:
                _warn(partition, error)
                await suspect(self.store, partition, email_identity)

    async def _look(self, partition: Partition, email_identity: bytes, score: bytes) -> None:
        key = partition.claims + email_identity.decode(errors="replace")
        claim: bytes = await self.store.execute(partition, "claim", b"GET", key) or b""
        verdict = await judge(self.store, claim, key, self.cross_partition.patience_ms)
        if verdict is not Verdict.OPEN:
            stale = claim if verdict is Verdict.STALE else b""
            await self.store.write(partition, scripts.SWEEP, [key, partition.suspects], email_identity, score, stale)


def _warn(partition: Partition, error: RepositoryError) -> None:
    _notices.warn("claims were not swept", partition=str(partition), reason=str(error))
