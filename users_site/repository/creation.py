"""Creating a user: one step, or three for an Idempotency-Key whose entry is in another partition.

    step        in the partition of
    1  reserve  the key    stores the id, and that the request is running
    2  create   the email  stores the user, and the outcome of the request as a marker
    3  finish   the key    stores the outcome of step 2

Step 2 decides, once. A replay finishes an incomplete creation.
"""

from contextlib import suppress
from typing import Any

from packages.redis_pipe import Word
from users_site import identifiers
from users_site.models import User, timestamp
from users_site.repository import scripts
from users_site.repository.change import ATTEMPTS
from users_site.repository.cross_partition import CrossPartition
from users_site.repository.entries import (
    CREATED,
    IDEMPOTENCY_SECONDS,
    OPEN,
    TAKEN,
    Idempotency,
    answer,
    first_answer,
    seconds_left,
)
from users_site.repository.errors import (
    Busy,
    EmailTaken,
    IdempotencyKeyReused,
    RepositoryError,
    RequestInProgress,
    undecided,
)
from users_site.repository.keys import Partition
from users_site.repository.store import Store


class Creation:
    """Creates users. Every method may raise StoreUnavailable."""

    def __init__(self, store: Store, cross_partition: CrossPartition) -> None:
        self.store, self.cross_partition = store, cross_partition

    async def create(self, name: str, email: str, role: str, idempotency: Idempotency | None) -> tuple[bytes, bool]:
        """As UserRepository.create."""
        now = timestamp()
        user = User(identifiers.new_id(email), name, email, role, now, now)
        document = user.document()
        if idempotency is None:
            outcome, _ = await self._create(user, document)
            if outcome == b"taken":
                raise EmailTaken
            return document, False
        key_partition = self.store.layout.of_key(idempotency.key, idempotency.caller)
        entry = key_partition.idempotency(idempotency.key, idempotency.caller)
        if key_partition is not self.store.layout.of_email(email):
            return await self._create_across(user, idempotency.fingerprint, key_partition, entry)
        outcome, found = await self._create(user, document, entry, idempotency.fingerprint)
        match outcome:
            case b"created":
                return document, False
            case b"replayed":
                return first_answer(found[0], user).document(), True
            case b"reused":
                raise IdempotencyKeyReused
        raise EmailTaken

    async def _create(
        self, user: User, document: bytes, entry: str = "", fingerprint: bytes = b""
    ) -> tuple[bytes, list[Any]]:
        """The outcome of create.lua, and what it found."""
        partition = self.store.layout.of(user.id)  # that of the email, from which the id was made
        claim = partition.claim(user.email)
        key_list = [partition.record(user.id), partition.index, claim]
        noted: tuple[Word, ...] = ()
        if entry:
            key_list.append(entry)
            again = "again" if self.store.durable else ""
            noted = (fingerprint, answer(user), IDEMPOTENCY_SECONDS, again)
        stale = held = b""
        for _ in range(ATTEMPTS):
            args = (user.id, document, stale, held, *noted)
            outcome, *found = await self.store.write(partition, scripts.CREATE, key_list, *args)
            if outcome != b"judge":
                return outcome, found
            if await self.cross_partition.is_free(found[0], claim):
                stale = found[0]
            elif entry:
                held = found[0]
            else:
                return b"taken", []
        raise Busy

    async def _create_across(
        self, user: User, fingerprint: bytes, key_partition: Partition, entry: str
    ) -> tuple[bytes, bool]:
        reserved = answer(user, OPEN).encode()
        args = (fingerprint, reserved, IDEMPOTENCY_SECONDS)
        with undecided():
            outcome, *found = await self.store.write(key_partition, scripts.RESERVE, [entry], *args)
        if outcome == b"reused":
            raise IdempotencyKeyReused
        is_replay = outcome == b"found"
        if is_replay:
            reserved = found[0]
            user = first_answer(reserved, user)
            if reserved[:1] == OPEN.encode() and (seconds := seconds_left(user, self.cross_partition.patience_ms)):
                raise RequestInProgress(seconds)
        marker = self.store.layout.of(user.id).made(user.id)
        document = user.document()
        outcome, noted = await self._create(user, document, marker, fingerprint)
        is_made = outcome == b"created" or (outcome == b"replayed" and noted[0][:1] == CREATED.encode())
        if reserved[:1] == OPEN.encode():
            answered = fingerprint + answer(user, CREATED if is_made else TAKEN).encode()
            args = (fingerprint + reserved, answered, IDEMPOTENCY_SECONDS)
            with suppress(RepositoryError):  # step 2 has decided; a replay finishes it
                await self.store.write(key_partition, scripts.FINISH, [entry], *args)
        if not is_made:
            raise EmailTaken(replayed=is_replay)
        return document, is_replay
