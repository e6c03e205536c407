"""UUIDv7 ids (RFC 9562 §5.7). The 12 bits of rand_a hold the bits of the email's identity, which name the partition.

The ids of a process strictly increase, whatever the clock does: if time and bits alone would not, the id's time is a
millisecond ahead.
"""

import re
import secrets
import time
import uuid
import zlib

from users_contract.identity import identity

_BITS = 0xFFF
_is_uuid = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch
_last = (0, 0)  # milliseconds and bits of the newest id


def new_id(email: str) -> str:
    """A fresh id, greater than all before."""
    global _last
    ms, bits = int(time.time() * 1000), bits_of(email)
    if (ms, bits) <= _last:
        ms = _last[0] + (bits <= _last[1])
    _last = (ms, bits)
    return id_at(ms, bits)


def id_at(milliseconds: int, bits: int) -> str:
    """An id of this moment, for users created in bulk: within one millisecond they are unordered."""
    text = f"{milliseconds << 80 | 7 << 76 | bits << 64 | 2 << 62 | secrets.randbits(62):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def bits_of(email: str) -> int:
    """12 bits of an email's identity, the same for every spelling. Never 0: ids of earlier versions have 0."""
    return zlib.crc32(identity(email).encode()) & _BITS or 1


def bits_in(user_id: str) -> int:
    """The bits in a canonical id; if it has none, 12 bits of a checksum of its 16 bytes."""
    bits = int(user_id[15:18], 16) if user_id[14] == "7" and user_id[19] in "89ab" else 0
    return bits or zlib.crc32(uuid.UUID(user_id).bytes) & _BITS


def canonical(text: str) -> str | None:
    """The id in lower case, or None if the text is not a UUID."""
    return text.lower() if _is_uuid(text) else None
