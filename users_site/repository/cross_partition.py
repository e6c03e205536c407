"""Users whose email belongs to another partition than their id: the only changes with several steps.

    step       in the partition of
    1  begin   the user       reads the user, writes the intent
    2  claim   the new email  claims it, pending; in that of the old email, its claim becomes a suspect
    3  commit  the user       stores the new document, if the intent still exists and the user has not changed
    4  settle  the new email  makes the claim firm

Step 3 decides. A crash before it leaves an intent and a pending claim; the next client that needs the email aborts them. A
crash after it leaves two claims: the pending one is valid, because the user has its email; the old one is stale (claims.py). A
suspect is checked after the intent has expired.
"""

from contextlib import suppress

from users_contract.identity import identity
from users_site.identifiers import canonical
from users_site.repository import scripts
from users_site.repository.broken import is_whole, parsed
from users_site.repository.change import ATTEMPTS, Change, Changing, back_off, version
from users_site.repository.claims import (
    FAR,
    SWEEP_AFTER_MS,
    Verdict,
    holder_of,
    is_old,
    judge,
    new_token,
    now_ms,
    suspect,
)
from users_site.repository.errors import Busy, EmailTaken, RepositoryError, UserNotFound, undecided
from users_site.repository.keys import Partition
from users_site.repository.store import Store, all_of

INTENT_SECONDS = 60
PATIENCE_MS = 5_000
"""Age from which another process's write counts as abandoned: longer than any request takes."""


class CrossPartition:
    """Changes of email across partitions. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store, patience_ms: int) -> None:
        self.store, self.patience_ms = store, patience_ms

    async def update(self, user_id: str, changing: Changing) -> bytes | None:
        """As UserRepository.update; None if the email belongs to the user's own partition after all."""
        partition = self.store.layout.of(user_id)
        for attempt in range(ATTEMPTS):
            token = new_token()
            with undecided():
                document = await self._begin(partition, user_id, token)
            try:
                change = changing.of(document, user_id)
                is_cross_partition = self.store.layout.of_email(change.changed.email) is not partition
                if is_cross_partition and change.moves_email:
                    with undecided():
                        await self._claim(change, token)
            except Exception:
                await self._abort(partition, user_id, token)
                raise
            if change.is_none or not is_cross_partition:
                await self._abort(partition, user_id, token)
                return document if change.is_none else None
            if await self._commit(partition, change, token):
                return change.new_document
            await back_off(attempt)
        raise Busy

    async def find(self, claim: bytes, claim_key: str) -> bytes | None:
        """The document of the user that another partition's claim names, if it has the email."""
        user_id = canonical(holder_of(claim))
        if user_id is None:
            return None
        partition = self.store.layout.of(user_id)
        document: bytes | None = await self.store.execute(partition, "get", b"GET", partition.record(user_id))
        user = parsed(document, user_id) if document is not None and is_whole(document, user_id.encode()) else None
        is_theirs = user is not None and self.store.layout.claim(user.email) == claim_key
        return document if is_theirs else None

    async def is_free(self, claim: bytes, claim_key: str) -> bool:
        """Whether a claim that names a user of another partition is stale; waits for a pending change."""
        for attempt in range(ATTEMPTS):
            verdict = await judge(self.store, claim, claim_key, self.patience_ms)
            if verdict is not Verdict.OPEN:
                return verdict is Verdict.STALE
            await back_off(attempt)
        raise Busy

    async def _begin(self, partition: Partition, user_id: str, token: str) -> bytes:
        abandoned = b""
        for attempt in range(ATTEMPTS):
            key_list = [partition.record(user_id), partition.intent(user_id)]
            outcome, *found = await self.store.write(
                partition, scripts.BEGIN, key_list, token, abandoned, INTENT_SECONDS
            )
            if outcome == b"begun":
                document: bytes = found[0]
                return document
            if outcome == b"gone":
                raise UserNotFound
            if is_old(found[0], self.patience_ms):
                abandoned = found[0]
            else:
                await back_off(attempt)
        raise Busy

    async def _abort(self, partition: Partition, user_id: str, token: str) -> None:
        with suppress(RepositoryError):  # a remaining intent only delays the user's next change of email
            await self.store.write(partition, scripts.ABORT, [partition.intent(user_id)], token)

    async def _claim(self, change: Change, token: str) -> None:
        """Raises EmailTaken."""
        email, user_id = change.changed.email, change.user.id
        new = self.store.layout.of_email(email)
        stale, pending, key = b"", f"{user_id} {token}", new.claim(email)
        old = self.store.layout.of_email(change.user.email)
        former = change.user.email if old is not self.store.layout.of(user_id) else ""
        for _ in range(ATTEMPTS):
            args = (pending, stale, identity(email), now_ms() + SWEEP_AFTER_MS)
            steps = [self.store.write(new, scripts.CLAIM, [key, new.suspects], *args)]
            if former and not stale:
                steps.append(suspect(self.store, old, identity(former)))
            (outcome, *found), *_ = await all_of(steps)
            if outcome == b"claimed":
                return
            stale = found[0]
            if not await self.is_free(stale, key):
                raise EmailTaken
        raise Busy

    async def _commit(self, partition: Partition, change: Change, token: str) -> bool:
        """Whether the change was made: not if the user has changed meanwhile. Raises UserNotFound."""
        user_id = change.user.id
        key_list = [partition.record(user_id), partition.intent(user_id), partition.claim(change.user.email)]
        args = (token, version(change.document), change.new_document, user_id)
        outcome = await self.store.write(partition, scripts.COMMIT, key_list, *args)
        if change.moves_email:
            with suppress(RepositoryError):  # the record has decided; readers of the claims check it
                await self._settle(change, token, is_made=outcome == b"committed")
        if outcome == b"gone":
            raise UserNotFound
        return bool(outcome == b"committed")

    async def _settle(self, change: Change, token: str, *, is_made: bool) -> None:
        user_id, new = change.user.id, self.store.layout.of_email(change.changed.email)
        key, pending = new.claim(change.changed.email), f"{user_id} {token}"
        firm = f"{user_id} {FAR}" if is_made else ""
        await self.store.write(new, scripts.SETTLE, [key], pending, firm)
