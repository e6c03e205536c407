"""The data layout. Every key carries the hash tag of its partition, so that one script may touch them all.

{users:P}:user:<id>      string   the user, as served
{users:P}:ids            zset     every id at score 0; UUIDv7 ids sort by creation, so pages are ZRANGE … BYLEX
{users:P}:email:<email>  string   id; the claim that keeps the email unique, by its identity
{users:P}:epoch          string   of the layout, absent for 1: the scripts that write refuse any other
{users:0}:moving         string   only while move_users fills this store: where the users come from
{users:P}:idem:<key>     string   fingerprint of the request and its first answer, 24 h; of an authenticated caller the
                                  key is "<digest of the caller> <key>": without one it cannot hold a space
"""

import hashlib

from users_contract.identity import identity

RECORD, INDEX, CLAIM, IDEMPOTENCY, EPOCH, MOVING = "user", "ids", "email", "idem", "epoch", "moving"
EVERY = "{users:*"
"""The glob pattern of every key of this layout."""


def index(partition: int) -> str:
    """The index of all ids."""
    return f"{{users:{partition}}}:{INDEX}"


def epoch(partition: int) -> str:
    """The epoch of the layout."""
    return f"{{users:{partition}}}:{EPOCH}"


def moving() -> str:
    """The mark of a store that move_users fills."""
    return f"{{users:0}}:{MOVING}"


def record(partition: int, user_id: str = "") -> str:
    """A user's record; without an id, the prefix of all records."""
    return f"{{users:{partition}}}:{RECORD}:{user_id}"


def claim(partition: int, email: str) -> str:
    """The claim of an email, the same for every spelling of it."""
    return f"{{users:{partition}}}:{CLAIM}:{identity(email)}"


def of_user(partition: int, user_id: str, email: str) -> list[str]:
    """Record, index, claim, epoch."""
    return [record(partition, user_id), index(partition), claim(partition, email), epoch(partition)]


def idempotency(partition: int, key: str, caller: str = "") -> str:
    """The entry of this caller's Idempotency-Key."""
    owner = f"{hashlib.sha256(caller.encode()).hexdigest()[:32]} " if caller else ""
    return f"{{users:{partition}}}:{IDEMPOTENCY}:{owner}{key}"
