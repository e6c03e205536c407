"""Finds and stores users; the errors are in errors.py."""

import asyncio
from collections.abc import Callable

from common.http import deadline
from packages.redis_pipe import Reason
from users_contract.identity import identity
from users_site.models import User
from users_site.repository import pages, scripts
from users_site.repository.broken import is_whole, parsed, report_broken, report_stale_claim, stand_in
from users_site.repository.change import ATTEMPTS, Change, Changing, Matches, back_off, require, version
from users_site.repository.claims import suspect
from users_site.repository.creation import Creation
from users_site.repository.cross_partition import PATIENCE_MS, CrossPartition
from users_site.repository.entries import Idempotency
from users_site.repository.errors import Busy, EmailTaken, RecordBroken, RepositoryError, StoreUnavailable, UserNotFound
from users_site.repository.keys import Partition
from users_site.repository.replicas import ReplicaCheck
from users_site.repository.shared import SharedReads
from users_site.repository.store import Store, all_of

PAGE_SECONDS = 5.0
"""Bound on a page of several partitions; each command has its own time-out too."""

PROBE_SECONDS = 0.4
"""The longest wait for a partition; a probe may take a second."""


class UserRepository:
    """Users in Redis. Every method may raise StoreUnavailable, those that write NotDurable too."""

    def __init__(self, store: Store, replicas: ReplicaCheck | None = None, *, patience_ms: int = PATIENCE_MS) -> None:
        self.store = store
        self.cross_partition = CrossPartition(store, patience_ms)
        self._creation = Creation(store, self.cross_partition)
        self._replicas = replicas
        # With one partition a page costs too little to be shared.
        self._pages = SharedReads(pages.read) if store.layout.count > 1 else None

    async def get(self, user_id: str) -> bytes:
        """The user's document: one command. Raises UserNotFound, RecordBroken."""
        partition = self.store.layout.of(user_id)
        if self._replicas is not None:
            await self._require_replicas(partition)
        document: bytes | None = await self.store.execute(partition, "get", b"GET", partition.record(user_id))
        if document is None:
            raise UserNotFound
        if not is_whole(document, user_id.encode()):
            report_broken(user_id)
            raise RecordBroken
        return document

    async def find(self, email: str) -> bytes | None:
        """The document of the user with this email, in any spelling, or None: one command. Raises RecordBroken."""
        partition = self.store.layout.of_email(email)
        if self._replicas is not None:
            await self._require_replicas(partition)
        key = partition.claim(email)
        claim, document = await self.store.run(partition, scripts.FIND, [key, partition.records])
        if document is None:
            return await self.cross_partition.find(claim, key) if claim is not None and b" " in claim else None
        found: bytes = document
        user_id = claim.decode(errors="replace")
        user = parsed(found, user_id)
        if user is None:
            report_broken(user_id)
            raise RecordBroken
        if partition.claim(user.email) != key:
            report_stale_claim(user.id)
            return None
        return found

    async def page(self, limit: int, start: pages.Position | None = None, *, count: bool = True) -> pages.Page:
        """At most `limit` users from `start` on, newest first: two round trips."""
        await self._require_replicas(*self.store.layout.partitions)
        await self.store.ensure_open()
        if self._pages is None:
            return await pages.read(self.store, limit, start, count)
        try:
            async with asyncio.timeout(deadline.left(PAGE_SECONDS)):
                page: pages.Page = await self._pages.get(self.store, limit, start, count)
        except TimeoutError:
            raise StoreUnavailable(Reason.TIMEOUT) from None
        return page

    async def create(
        self, name: str, email: str, role: str, idempotency: Idempotency | None = None
    ) -> tuple[bytes, bool]:
        """Creates a user: one command. Returns the document and whether it is a replay of the first answer.

        Raises EmailTaken, IdempotencyKeyReused, RequestInProgress.
        """
        return await self._creation.create(name, email, role, idempotency)

    async def update(
        self,
        user_id: str,
        change: Callable[[User], User],
        matches: Matches | None = None,
        *,
        replaces: bool = False,
        email: str = "",
    ) -> bytes:
        """Changes a user: two commands. Returns the new document, or the stored one if nothing changes.

        `change` may run more than once, each time on the latest version. With `replaces` it sets all fields, so that it
        replaces a broken record. `email`: the new one, if known, which saves a round trip if it belongs to another
        partition. Raises UserNotFound, EmailTaken, VersionMismatch, RecordBroken, and what `change` raises.
        """
        layout, changing = self.store.layout, Changing(change, matches, replaces)
        partition = layout.of(user_id)
        is_cross_partition = bool(email) and layout.of_email(email) is not partition
        for attempt in range(ATTEMPTS):
            if is_cross_partition:
                new_document = await self.cross_partition.update(user_id, changing)
                if new_document is not None:
                    return new_document
            made = changing.of(await self._read(user_id), user_id)
            if made.is_none:
                return made.document
            is_cross_partition = layout.of_email(made.changed.email) is not partition and made.moves_email
            if is_cross_partition:
                continue
            if await self._replace(made):
                return made.new_document
            await back_off(attempt)
        raise Busy

    async def delete(self, user_id: str, matches: Matches | None = None) -> None:
        """Deletes a user with index entry and email claim, a broken record too. Raises UserNotFound, VersionMismatch."""
        layout, partition = self.store.layout, self.store.layout.of(user_id)
        for attempt in range(ATTEMPTS):
            document = await self._read(user_id)
            require(document, matches)
            email = stand_in(document, user_id).email
            is_cross_partition = bool(email) and layout.of_email(email) is not partition
            key_list = [partition.record(user_id), partition.index, partition.claim(email), partition.intent(user_id)]
            # First queue the claim as a suspect: if this process stops in between, the claim stays.
            steps = [suspect(self.store, layout.of_email(email), identity(email))] if is_cross_partition else []
            steps.append(self.store.write(partition, scripts.DELETE, key_list, version(document), user_id))
            *_, outcome = await all_of(steps)
            if outcome == b"deleted":
                return
            await back_off(attempt)
        raise Busy

    async def probe(self) -> None:
        """Returns if Redis serves users, and can make writes durable if required. One of several partitions is enough:
        otherwise a lost one would make all services unready, for all users."""
        await self.store.open(PROBE_SECONDS)
        # A node of a cluster that is down answers PING.
        counts = await self.store.counts(PROBE_SECONDS)
        partition = next((partition for partition, count in counts.items() if isinstance(count, int)), None)
        if partition is None:
            raise next(error for error in counts.values() if isinstance(error, RepositoryError))
        if self.store.durable is not None:
            await self.store.reply(self.store.durable.probe(self.store.at(partition)))

    async def close(self) -> None:
        await self.store.close()

    async def _require_replicas(self, *partitions: Partition) -> None:
        if self._replicas is not None:
            await self.store.reply(self._replicas.require(*map(self.store.at, partitions)))

    async def _read(self, user_id: str) -> bytes:
        partition = self.store.layout.of(user_id)
        document: bytes | None = await self.store.execute(partition, "get", b"GET", partition.record(user_id))
        if document is None:
            raise UserNotFound
        return document

    async def _replace(self, made: Change) -> bool:
        """Whether the change was stored; if another client was first, it was not. Raises EmailTaken."""
        layout, user = self.store.layout, made.user
        partition, old = layout.of(user.id), layout.of_email(user.email)
        key_list, stale = [partition.record(user.id)], b""
        if layout.of_email(made.changed.email) is partition:
            claim = partition.claim(made.changed.email)
            key_list += [claim, partition.claim(user.email)]
        for _ in range(ATTEMPTS):
            args = (version(made.document), made.new_document, user.id, stale)
            leaves = user.email and old is not partition and made.moves_email
            writing = self.store.write(partition, scripts.REPLACE, key_list, *args)
            if leaves:
                _, outcome = await all_of([suspect(self.store, old, identity(user.email)), writing])
            else:
                outcome = await writing
            match outcome:
                case b"replaced":
                    return True
                case b"taken":
                    raise EmailTaken
                case b"changed":
                    return False
            stale = outcome[1]
            if not await self.cross_partition.is_free(stale, claim):
                raise EmailTaken
        raise Busy
