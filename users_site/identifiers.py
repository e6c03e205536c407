"""UUIDv7 ids (RFC 9562 §5.7) that carry their user's partition in the 12 bits of rand_a.

Within one process ids are strictly increasing, whatever the clock does: in the same millisecond, or when the clock was set
back, rand_b goes up by a random step (§6.2, method 2).
"""

import re
import secrets
import time
import zlib

PARTITIONS = 1
"""How many partitions the users are spread over; one on one server."""

_RAND_B_BITS = 62
_is_uuid = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch
_last_ms = 0
_last_rand = 0


def partition_for(email: str) -> int:
    """The partition that holds the user with this email, the same for every spelling of its case."""
    return zlib.crc32(email.casefold().encode()) % PARTITIONS


def new_id(partition: int, now: float | None = None) -> str:
    """A fresh id; `now` in seconds since 1970."""
    global _last_ms, _last_rand
    ms = int((time.time() if now is None else now) * 1000)
    if ms > _last_ms:
        # The top bit starts at 0, which leaves room to count up in.
        _last_ms, _last_rand = ms, secrets.randbits(_RAND_B_BITS - 1)
    else:
        _last_rand += 1 + secrets.randbits(32)
        if _last_rand >> _RAND_B_BITS:
            _last_ms, _last_rand = _last_ms + 1, secrets.randbits(_RAND_B_BITS - 1)
    text = f"{_last_ms << 80 | 7 << 76 | partition << 64 | 2 << 62 | _last_rand:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def canonical(text: str) -> str | None:
    """The id in lower case, or None for what is no UUID at all."""
    return text.lower() if _is_uuid(text) else None


def partition_of(user_id: str) -> int:
    """The partition that a canonical id names; ids of other versions and makers belong to some partition too."""
    return int(user_id[15:18], 16) % PARTITIONS
