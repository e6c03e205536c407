"""Finds and stores users. Speaks in users, documents and ids; what it raises stands in errors.py."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from packages.redis_pipe.connection import Connection
from packages.redis_pipe.durability import DurableWrites
from users_site import identifiers
from users_site.models import User
from users_site.repository import keys, scripts
from users_site.repository.errors import (
    EmailTaken,
    IdempotencyKeyReused,
    Reason,
    StoreUnavailable,
    UserNotFound,
    VersionMismatch,
)

IDEMPOTENCY_SECONDS = 24 * 60 * 60
ATTEMPTS = 100
"""How often a change is made anew because another client was first; each time one of them got through."""

Matches = Callable[[bytes], bool]
"""Whether the caller's If-Match names this document's version."""


class Side(StrEnum):
    """Which way a page goes from its cursor."""

    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page starts: beyond an id, or at it (`inclusive`)."""

    side: Side
    user_id: str
    inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Documents joined by commas, newest first; `count` of all users; where the neighbouring pages start, if there are any."""

    count: int
    documents: bytes
    older: Position | None = None
    newer: Position | None = None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's Idempotency-Key and the fingerprint of the request that it was sent with."""

    key: str
    fingerprint: bytes


class UserRepository:
    """Users in Redis, through one connection, and another one where writes wait to be durable. Every method may raise
    StoreUnavailable, those that write NotDurable too."""

    def __init__(self, connection: Connection, durable: DurableWrites | None = None) -> None:
        self.connection = connection
        self.durable = durable
        self._writes = durable or connection

    async def get(self, user_id: str) -> bytes:
        """The user's document: one command. Raises UserNotFound."""
        document: bytes | None = await self.connection.execute(
            "get", b"GET", keys.record(identifiers.partition_of(user_id), user_id)
        )
        if document is None:
            raise UserNotFound
        return document

    async def find(self, email: str) -> bytes | None:
        """The document of the user who holds an email, in any case: one command."""
        partition = identifiers.partition_for(email)
        found: bytes | None = await self.connection.run(
            "find", scripts.FIND, [keys.claim(partition, email), keys.record(partition)], []
        )
        return found

    async def page(self, limit: int, start: Position | None = None) -> Page:
        """At most `limit` users from `start` on, newest first: one command."""
        side = start.side if start else Side.OLDER
        bound = f"{'[' if start.inclusive else '('}{start.user_id}" if start else ""
        count, older, newer, first, last, documents = await self.connection.run(
            "page", scripts.PAGE, [keys.index(0), keys.record(0)], [bound, side, limit]
        )
        if not first:
            # Beyond the end: the way back includes the user at whose id this page would have started.
            back = start and Position(Side.NEWER if side is Side.OLDER else Side.OLDER, start.user_id, inclusive=True)
            has_back = bool(count) and back is not None
            return Page(
                count,
                b"",
                older=back if has_back and side is Side.NEWER else None,
                newer=back if has_back and side is Side.OLDER else None,
            )
        return Page(
            count,
            documents,
            older=Position(Side.OLDER, last.decode()) if older else None,
            newer=Position(Side.NEWER, first.decode()) if newer else None,
        )

    async def create(
        self, name: str, email: str, role: str, idempotency: Idempotency | None = None
    ) -> tuple[bytes, bool]:
        """Creates a user: one command. Returns the document and whether it is a replay of the first answer.

        Raises EmailTaken, IdempotencyKeyReused.
        """
        partition = identifiers.partition_for(email)
        user_id, now = identifiers.new_id(partition), timestamp()
        document = User(user_id, name, email, role, now, now).document()
        key_list = [keys.record(partition, user_id), keys.index(partition), keys.claim(partition, email)]
        args: list[Any] = [user_id, document]
        if idempotency is not None:
            key_list.append(keys.idempotency(partition, idempotency.key))
            args += [idempotency.fingerprint, IDEMPOTENCY_SECONDS]
            if self.durable is not None:
                args.append("again")
        outcome = await self._writes.run("create", scripts.CREATE, key_list, args)
        match outcome[0]:
            case b"created":
                return document, False
            case b"replayed":
                return outcome[1], True
            case b"reused":
                raise IdempotencyKeyReused
        raise EmailTaken(replayed=outcome[0] == b"replayed-taken")

    async def update(self, user_id: str, change: Callable[[User], User], matches: Matches | None = None) -> bytes:
        """Changes a user; returns the new document. `change` may run more than once, each time on the latest version.

        Raises UserNotFound, EmailTaken, VersionMismatch, and whatever `change` raises.
        """
        partition = identifiers.partition_of(user_id)
        for attempt in range(ATTEMPTS):
            document = await self._current(user_id, matches)
            user = User.from_document(document)
            changed = replace(change(user), id=user.id, created_at=user.created_at, updated_at=timestamp())
            new_document = changed.document()
            outcome = await self._writes.run(
                "update",
                scripts.REPLACE,
                [
                    keys.record(partition, user_id),
                    keys.claim(partition, user.email),
                    keys.claim(partition, changed.email),
                ],
                [version(document), new_document, user_id],
            )
            if outcome == b"replaced":
                return new_document
            if outcome == b"gone":
                raise UserNotFound
            if outcome == b"taken":
                raise EmailTaken
            await _yield_to_others(attempt)
        raise StoreUnavailable(Reason.BUSY)

    async def delete(self, user_id: str, matches: Matches | None = None) -> None:
        """Deletes a user with index entry and email claim. Raises UserNotFound, VersionMismatch."""
        partition = identifiers.partition_of(user_id)
        for attempt in range(ATTEMPTS):
            document = await self._current(user_id, matches)
            email = User.from_document(document).email
            outcome = await self._writes.run(
                "delete",
                scripts.DELETE,
                [keys.record(partition, user_id), keys.index(partition), keys.claim(partition, email)],
                [version(document), user_id],
            )
            if outcome == b"deleted":
                return
            if outcome == b"gone":
                raise UserNotFound
            await _yield_to_others(attempt)
        raise StoreUnavailable(Reason.BUSY)

    async def count(self) -> int:
        """How many users there are."""
        total: int = await self.connection.execute("count", b"ZCARD", keys.index(0))
        return total

    async def probe(self) -> None:
        """Returns if Redis serves the users, and can make writes durable where that is asked for."""
        await self.count()  # PING would be answered by a node of a cluster that is down
        if self.durable is not None:
            await self.durable.probe(self.connection)

    async def close(self) -> None:
        """Lets go of the connections."""
        await self.connection.close()
        if self.durable is not None:
            await self.durable.close()

    async def _current(self, user_id: str, matches: Matches | None) -> bytes:
        document = await self.get(user_id)
        if matches is not None and not matches(document):
            raise VersionMismatch
        return document


def version(document: bytes) -> str:
    """What names this version of a document: its SHA-1 in hex, which Redis's Lua knows how to make too."""
    return hashlib.sha1(document, usedforsecurity=False).hexdigest()


def timestamp() -> str:
    """Now, RFC 3339 in UTC with microseconds and `Z`."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


async def _yield_to_others(attempt: int) -> None:
    # Who loses a race waits a little longer each time, so that many writers of one user do not keep each other busy.
    await asyncio.sleep(random.uniform(0, min(attempt, 10)) / 1000)  # noqa: S311 - jitter, no secret
