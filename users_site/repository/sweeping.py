"""Deletes stale claims of emails: their user was deleted or has another email, or a change was abandoned.

A stale claim does no harm: the user's record decides. It is deleted late, because a failover of the user's partition may undo
the change.
"""

import asyncio
import logging
import random

from common.observability.notices import Notices
from users_site.repository import scripts
from users_site.repository.claims import Verdict, judge, now_ms
from users_site.repository.errors import RepositoryError
from users_site.repository.far import FarUsers
from users_site.repository.keys import CLAIM, Partition

EVERY_SECONDS = 30.0
BATCH = 100
"""Suspects of a partition in one round."""

_notices = Notices(logging.getLogger(__name__))


class Sweeper:
    """Looks at the suspects of every partition periodically. Several processes may do so at once."""

    def __init__(self, far: FarUsers) -> None:
        self.store, self.far = far.store, far

    async def run(self) -> None:
        """Sweeps until cancelled; with one partition there is nothing to do."""
        while self.store.layout.count > 1:
            await asyncio.sleep(EVERY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            for home in self.store.layout.partitions:
                try:
                    await self.sweep(home)
                except RepositoryError as error:
                    _notices.warn("claims were not swept", partition=str(home), reason=str(error))

    async def sweep(self, home: Partition, now: int | None = None) -> None:
        """Looks at the suspects of one partition that are due (`now` in ms). Raises StoreUnavailable."""
        words = ("-inf", now_ms() if now is None else now, "BYSCORE", "LIMIT", 0, BATCH, "WITHSCORES")
        found = await self.store.execute(home, "suspects", b"ZRANGE", home.suspects, *words)
        for email_identity, score in zip(found[::2], found[1::2], strict=True):
            await self._look(home, email_identity, score)

    async def _look(self, home: Partition, email_identity: bytes, score: bytes) -> None:
        key = f"{home}:{CLAIM}:{email_identity.decode(errors='replace')}"
        claim: bytes = await self.store.execute(home, "claim", b"GET", key) or b""
        verdict = await judge(self.store, claim, key, self.far.patience_ms)
        if verdict is not Verdict.OPEN:
            stale = claim if verdict is Verdict.STALE else b""
            await self.store.write(home, "sweep", scripts.SWEEP, [key, home.suspects], email_identity, score, stale)
