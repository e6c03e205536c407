"""Claims of emails whose user is in another partition: the user's record decides whether they are valid.

    <id>           the user is in the claim's partition: the claim is valid
    <id> far       the user is in another partition
    <id> <token>   the same, but the change of email is not committed while the intent with this token exists

A token is "<milliseconds>-<random>". Its time only decides when another client tries to abort the change: deleting the
intent in the user's partition aborts it safely, because nobody can commit without the intent.
"""

import secrets
import time
from enum import Enum, auto

from users_site.identifiers import canonical
from users_site.repository import scripts
from users_site.repository.broken import parsed
from users_site.repository.errors import StoreUnavailable
from users_site.repository.keys import Partition
from users_site.repository.store import Store

FAR = "far"
SWEEP_AFTER_MS = 60_000
"""Delay before a suspect claim is checked; longer than a failover."""

_ID_LENGTH = 36


class Verdict(Enum):
    HELD = auto()
    STALE = auto()  # nobody has the email
    OPEN = auto()  # a change is pending


def new_token() -> str:
    """Names one change of email."""
    return f"{now_ms()}-{secrets.token_hex(8)}"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def holder_of(claim: bytes) -> str:
    return claim[:_ID_LENGTH].decode(errors="replace")


def is_cross_partition(claim: bytes) -> bool:
    """Whether the user that it names is in another partition."""
    return claim[_ID_LENGTH : _ID_LENGTH + 1] == b" "


def is_old(token: bytes, patience_ms: int) -> bool:
    """Whether the token's change is probably abandoned: clocks may differ."""
    made = token.partition(b"-")[0]
    return not made.isdigit() or now_ms() - int(made[:16]) > patience_ms


async def judge(store: Store, claim: bytes, claim_key: str, patience_ms: int) -> Verdict:
    """The verdict on a claim, by the record of the user that it names. Aborts an abandoned change."""
    user_id, token = canonical(holder_of(claim)), claim[_ID_LENGTH + 1 :]
    if len(claim) == _ID_LENGTH or user_id is None:
        return Verdict.HELD
    partition = store.layout.of(user_id)
    document, intent = await store.execute(
        partition, "judge", b"MGET", partition.record(user_id), partition.intent(user_id)
    )
    if document is not None:
        user = parsed(document, user_id)
        # A broken record may have any email.
        if user is None or store.layout.claim(user.email) == claim_key:
            return Verdict.HELD
    if intent is None or intent != token:
        return Verdict.STALE
    if is_old(token, patience_ms):
        outcome = await store.write(partition, scripts.ABORT, [partition.intent(user_id)], token)
        if outcome == b"aborted":
            return Verdict.STALE
    return Verdict.OPEN


async def suspect(store: Store, partition: Partition, email_identity: str | bytes) -> None:
    """Queues a claim for the sweeper."""
    due = now_ms() + SWEEP_AFTER_MS
    try:
        await store.execute(partition, "suspect", b"ZADD", partition.suspects, due, email_identity)
    except StoreUnavailable as error:  # the write that was sent with it may have been made
        raise StoreUnavailable(error.reason, uncertain=True) from error
