"""Finds and stores users, in terms of users, documents and ids; the errors are in errors.py."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from packages.redis_pipe import DurableWrites, Pipe, PipeError, Reason
from users_site import identifiers
from users_site.models import User
from users_site.repository import keys, pages, scripts
from users_site.repository.broken import is_whole, parsed, report_broken, report_stale_claim, stand_in
from users_site.repository.errors import (
    EmailTaken,
    IdempotencyKeyReused,
    RecordBroken,
    StoreUnavailable,
    UserNotFound,
    VersionMismatch,
    from_pipe,
)
from users_site.repository.replicas import ReplicaCheck

IDEMPOTENCY_SECONDS = 24 * 60 * 60
ATTEMPTS = 100
"""How often a change is retried because another client was first; each time one of them succeeded."""

WRITTEN = frozenset((b"created", b"replayed", b"replayed-taken", b"replaced", b"deleted"))
"""The scripts' answers after a write that must not be lost."""

Matches = Callable[[bytes], bool]
"""Whether the caller's If-Match names this document's version."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's Idempotency-Key, the fingerprint of its request, and its identity ("" without authentication)."""

    key: str
    fingerprint: bytes
    caller: str = ""


class UserRepository:
    """Users in Redis: one pipe for all commands, and another one for durable writes. Every method may raise
    StoreUnavailable,
    those that write NotDurable too."""

    def __init__(self, pipe: Pipe, durable: DurableWrites | None = None, replicas: ReplicaCheck | None = None) -> None:
        self.pipe = pipe
        self.durable = durable
        self._replicas = replicas
        self._writes = durable or pipe

    async def get(self, user_id: str) -> bytes:
        """The user's document: one command. Raises UserNotFound, RecordBroken."""
        if self._replicas is not None:
            await self._reply(self._replicas.require())
        document = await self._read(user_id)
        if not is_whole(document, user_id.encode()):
            report_broken(user_id)
            raise RecordBroken
        return document

    async def find(self, email: str) -> bytes | None:
        """The document of the user with this email, in any spelling, or None: one command. Raises RecordBroken."""
        if self._replicas is not None:
            await self._reply(self._replicas.require())
        partition = identifiers.partition_for(email)
        key_list = [keys.claim(partition, email), keys.record(partition)]
        user_id, document = await self._reply(self.pipe.run("find", scripts.FIND, key_list, []))
        if document is None:
            return None
        found: bytes = document
        user = parsed(found, user_id.decode(errors="replace"))
        if user is None:
            report_broken(user_id.decode(errors="replace"))
            raise RecordBroken
        if keys.claim(partition, user.email) != key_list[0]:
            report_stale_claim(user.id)
            return None
        return found

    async def page(self, limit: int, start: pages.Position | None = None, *, count: bool = True) -> pages.Page:
        """At most `limit` users from `start` on, newest first: two round trips."""
        if self._replicas is not None:
            await self._reply(self._replicas.require())
        page: pages.Page = await self._reply(pages.read(self.pipe, limit, start, count=count))
        return page

    async def create(
        self, name: str, email: str, role: str, idempotency: Idempotency | None = None
    ) -> tuple[bytes, bool]:
        """Creates a user: one command. Returns the document and whether it is a replay of the first answer.

        Raises EmailTaken, IdempotencyKeyReused.
        """
        partition = identifiers.partition_for(email)
        user_id, now = identifiers.new_id(email), timestamp()
        document = User(user_id, name, email, role, now, now).document()
        key_list = keys.of_user(partition, user_id, email)
        args: list[Any] = [user_id, document]
        if idempotency is not None:
            key_list.append(keys.idempotency(partition, idempotency.key, idempotency.caller))
            args += [idempotency.fingerprint, IDEMPOTENCY_SECONDS]
            if self.durable is not None:
                args.append("again")
        outcome = await self._reply(self._writes.run("create", scripts.CREATE, key_list, args))
        match outcome[0]:
            case b"created":
                return document, False
            case b"replayed":
                return outcome[1], True
            case b"reused":
                raise IdempotencyKeyReused
        raise EmailTaken(replayed=outcome[0] == b"replayed-taken")

    async def update(
        self, user_id: str, change: Callable[[User], User], matches: Matches | None = None, *, replaces: bool = False
    ) -> bytes:
        """Changes a user; returns the new document, or the stored one if nothing changes.

        `change` may run more than once, each time on the latest version. With `replaces` it sets all fields, so that a
        broken record is replaced. Raises UserNotFound, EmailTaken, VersionMismatch, RecordBroken, and what `change` raises.
        """
        partition = identifiers.partition_of(user_id)
        for attempt in range(ATTEMPTS):
            document = await self._current(user_id, matches)
            stored = parsed(document, user_id)
            if stored is None and not replaces:
                report_broken(user_id)
                raise RecordBroken
            user = stored or stand_in(document, user_id)
            changed = replace(change(user), id=user.id, created_at=user.created_at, updated_at=user.updated_at)
            if changed.document() == document:  # a record of an older layout is rewritten
                return document
            new_document = replace(changed, updated_at=timestamp()).document()
            claims = [keys.claim(partition, email) for email in (user.email or changed.email, changed.email)]
            outcome = await self._reply(
                self._writes.run(
                    "update",
                    scripts.REPLACE,
                    [keys.record(partition, user_id), *claims, keys.epoch(partition)],
                    [version(document), new_document, user_id],
                )
            )
            match outcome:
                case b"replaced":
                    return new_document
                case b"gone":
                    raise UserNotFound
                case b"taken":
                    raise EmailTaken
            await _back_off(attempt)
        raise StoreUnavailable(Reason.BUSY)

    async def delete(self, user_id: str, matches: Matches | None = None) -> None:
        """Deletes a user with index entry and email claim, a broken record too. Raises UserNotFound, VersionMismatch."""
        partition = identifiers.partition_of(user_id)
        for attempt in range(ATTEMPTS):
            document = await self._current(user_id, matches)
            email = stand_in(document, user_id).email
            outcome = await self._reply(
                self._writes.run(
                    "delete",
                    scripts.DELETE,
                    keys.of_user(partition, user_id, email),
                    [version(document), user_id],
                )
            )
            if outcome == b"deleted":
                return
            if outcome == b"gone":
                raise UserNotFound
            await _back_off(attempt)
        raise StoreUnavailable(Reason.BUSY)

    async def count(self) -> int:
        """How many users there are."""
        total: int = await self._reply(self.pipe.execute("count", b"ZCARD", keys.index(0)))
        return total

    async def info(self) -> bytes:
        """The server's INFO."""
        text: bytes = await self._reply(self.pipe.execute("info", b"INFO"))
        return text

    async def probe(self) -> None:
        """Returns if Redis serves the users, and can make writes durable if required."""
        await self.count()  # PING would be answered by a node of a cluster that is down
        if self.durable is not None:
            await self._reply(self.durable.probe(self.pipe))

    async def close(self) -> None:
        """Closes the connections."""
        await self.pipe.close()
        if self.durable is not None:
            await self.durable.close()

    async def _read(self, user_id: str) -> bytes:
        key = keys.record(identifiers.partition_of(user_id), user_id)
        document: bytes | None = await self._reply(self.pipe.execute("get", b"GET", key))
        if document is None:
            raise UserNotFound
        return document

    async def _current(self, user_id: str, matches: Matches | None) -> bytes:
        document = await self._read(user_id)
        if matches is not None and not matches(document):
            raise VersionMismatch
        return document

    async def _reply(self, pending: Awaitable[Any]) -> Any:
        """The one place where the pipe's errors become ours."""
        try:
            return await pending
        except PipeError as error:
            raise from_pipe(error) from error


def has_written(outcome: Any) -> bool:
    """Whether a script's answer follows a write that must not be lost."""
    return (outcome[0] if isinstance(outcome, list) else outcome) in WRITTEN


def version(document: bytes) -> str:
    """Names this version of a document: its SHA-1 in hex, which Redis's Lua computes too."""
    return hashlib.sha1(document, usedforsecurity=False).hexdigest()


def timestamp() -> str:
    """Now, RFC 3339 in UTC with microseconds and `Z`."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


async def _back_off(attempt: int) -> None:
    # Longer after each lost race, so that many writers of one user do not block each other.
    await asyncio.sleep(random.uniform(0, min(attempt, 10)) / 1000)  # noqa: S311 - jitter, no secret
