"""Idempotency entries: the outcomes of the first requests with an Idempotency-Key.

An entry is the fingerprint of the request, a state, and the data of the first answer. It contains no personal data: a
replay has the same fields, and the first document is made from them.

    <fingerprint>+<id> <created_at>   created
    <fingerprint>-                    the email was taken
    <fingerprint>?<id> <created_at>   open: the user belongs to another partition than the key
    <fingerprint>{…}, <fingerprint>   created, taken: written by an earlier version
"""

import math
import time
from dataclasses import dataclass, replace
from datetime import datetime

from users_site.models import User
from users_site.repository.errors import EmailTaken, RequestInProgress

IDEMPOTENCY_SECONDS = 24 * 60 * 60
CREATED, TAKEN, OPEN = "+", "-", "?"
FINGERPRINT_BYTES = 32
LATER_SECONDS = 5
"""`Retry-After` of a request whose entry only a later version can read."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's Idempotency-Key, the fingerprint of its request, and its identity ("" without authentication)."""

    key: str
    fingerprint: bytes
    caller: str = ""


def answer(user: User, state: str = CREATED) -> str:
    """The part of an entry after the fingerprint."""
    return state if state == TAKEN else f"{state}{user.id} {user.created_at}"


def first_answer(found: bytes, user: User) -> User:
    """The user of the first answer, for the same request's `user`. Raises EmailTaken; RequestInProgress for an entry of a
    later version, whose processes can answer while both run."""
    state = found[:1].decode(errors="replace")
    if state == "{":
        return User.from_document(found)
    if state in {"", TAKEN}:
        raise EmailTaken(replayed=True)
    if state not in {CREATED, OPEN}:
        raise RequestInProgress(LATER_SECONDS)
    user_id, created_at = found[1:].decode().split(" ")
    return replace(user, id=user_id, created_at=created_at, updated_at=created_at)


def seconds_left(user: User, patience_ms: int) -> int:
    """Seconds for which the request that reserved this user may still be in flight; 0 if it has ended."""
    age = time.time() - datetime.fromisoformat(user.created_at).timestamp()
    return max(0, math.ceil(patience_ms / 1000 - age)) if age > -patience_ms / 1000 else 0
