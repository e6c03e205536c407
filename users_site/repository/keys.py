"""The data layout. Every key carries the hash tag of its partition, so that one script may touch them all.

{users:P}:user:<id>      string   the user, as served
{users:P}:ids            zset     every id at score 0; UUIDv7 ids sort by creation, so pages are ZRANGE … BYLEX
{users:P}:email:<email>  string   id; the claim that keeps the case-folded email unique
{users:P}:idem:<key>     string   fingerprint of the request and its first answer, 24 h
"""

RECORD, INDEX, CLAIM, IDEMPOTENCY = "user", "ids", "email", "idem"
EVERY = "{users:*"
"""The glob pattern of every key of this layout."""


def index(partition: int) -> str:
    """The index of all ids."""
    return f"{{users:{partition}}}:{INDEX}"


def record(partition: int, user_id: str = "") -> str:
    """A user's record; without an id, what the keys of all records begin with."""
    return f"{{users:{partition}}}:{RECORD}:{user_id}"


def claim(partition: int, email: str) -> str:
    """The claim of an email, the same for every spelling of its case."""
    return f"{{users:{partition}}}:{CLAIM}:{email.casefold()}"


def idempotency(partition: int, key: str) -> str:
    """What an Idempotency-Key stands for."""
    return f"{{users:{partition}}}:{IDEMPOTENCY}:{key}"
