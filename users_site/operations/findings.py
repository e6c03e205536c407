"""The findings of an audit of the store, and the keys that it reads."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from users_site.repository.keys import Layout, Partition

_parts = re.compile(
    rb"\{([a-z0-9:]+)\}:(?:(user|email|idem|made|intent):(.*)|(ids|epoch|suspects|moving))", re.DOTALL
).fullmatch


class Kind(StrEnum):
    """The kinds of findings, as text for operators; those of REPAIRABLE have one right repair."""

    CLAIM_STALE = "claim without its user, or of an earlier spelling"
    RECORD_BROKEN = "record that is not a valid user"
    RECORD_MISPLACED = "record in the wrong partition or under another id"
    RECORD_UNCLAIMED = "record without its claim"
    EMAIL_SHARED = "email of two users"
    RECORD_UNINDEXED = "record not in the index"
    INDEX_MISPLACED = "index entry out of order"
    INDEX_STALE = "index entry without a record"
    IDEMPOTENCY_STUCK = "idempotency entry that would not expire in time"
    IDEMPOTENCY_BROKEN = "idempotency entry that cannot be read"
    KEY_EXPIRING = "record, claim or index that would expire"
    KEY_UNKNOWN = "key outside the data layout, or of another type"


REPAIRABLE = frozenset(Kind) - {Kind.RECORD_BROKEN, Kind.RECORD_MISPLACED, Kind.EMAIL_SHARED, Kind.KEY_UNKNOWN}


class Finding(NamedTuple):
    kind: Kind
    key: str
    detail: str = ""


class Key(NamedTuple):
    raw: bytes
    partition: Partition
    kind: str
    rest: bytes


def known_keys(layout: Layout, batch: Iterable[bytes]) -> list[Key]:
    matches = [(raw, match) for raw in batch if (match := _parts(raw))]
    found = [(raw, match, layout.by_tag.get(match[1].decode())) for raw, match in matches]
    return [
        Key(raw, partition, (match[2] or match[4]).decode(), match[3] or b"")
        for raw, match, partition in found
        if partition
    ]


def text(raw: bytes) -> str:
    """Bytes of the store, printable."""
    decoded = raw.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in decoded)
