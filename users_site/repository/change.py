"""A change of one user: from the document read to the one to store."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from users_contract.identity import identity
from users_site.models import User, timestamp
from users_site.repository.broken import parsed, report_broken, stand_in
from users_site.repository.errors import RecordBroken, VersionMismatch

ATTEMPTS = 100
"""How often a change is retried because another client was first. Each time one of the clients succeeds."""

Matches = Callable[[bytes], bool]
"""Whether the caller's If-Match names this document's version."""


class Change(NamedTuple):
    document: bytes
    user: User
    changed: User
    new_document: bytes

    @property
    def is_none(self) -> bool:
        """Whether nothing changes; a record of an older layout is rewritten."""
        return self.new_document is self.document

    @property
    def moves_email(self) -> bool:
        """Whether the email changes, not only its spelling."""
        return identity(self.user.email) != identity(self.changed.email)


class Changing(NamedTuple):
    """A client's change. With `replaces` it sets all fields, so that it replaces a broken record."""

    change: Callable[[User], User]
    matches: Matches | None = None
    replaces: bool = False

    def of(self, document: bytes, user_id: str) -> Change:
        """The change of this version. Raises VersionMismatch, RecordBroken, and what `change` raises."""
        require(document, self.matches)
        stored = parsed(document, user_id)
        if stored is None and not self.replaces:
            report_broken(user_id)
            raise RecordBroken
        user = stored or stand_in(document, user_id)
        changed = replace(self.change(user), id=user.id, created_at=user.created_at, updated_at=user.updated_at)
        if changed.document() == document:
            return Change(document, user, user, document)
        return Change(document, user, changed, replace(changed, updated_at=timestamp()).document())


def require(document: bytes, matches: Matches | None) -> None:
    """Raises VersionMismatch."""
    if matches is not None and not matches(document):
        raise VersionMismatch


def version(document: bytes) -> str:
    """The version of a document: its SHA-1 in hex, which Redis's Lua can compute too."""
    return hashlib.sha1(document, usedforsecurity=False).hexdigest()


async def back_off(attempt: int) -> None:
    """Waits, longer after each lost race, so that many writers of one user do not block each other."""
    await asyncio.sleep(random.uniform(0, min(attempt, 10)) / 1000)  # noqa: S311 - jitter, no secret
