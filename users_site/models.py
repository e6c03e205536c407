"""The stored model."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import orjson


def timestamp(seconds: float | None = None) -> str:
    """RFC 3339 in UTC with microseconds and `Z`; now if no seconds since 1970 are given."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


@dataclass(frozen=True, slots=True)
class User:
    """A user, with the fields of the wire format and of the store. Times are made by `timestamp`."""

    id: str
    name: str
    email: str
    role: str
    created_at: str
    updated_at: str

    def document(self) -> bytes:
        """The JSON that is stored and, byte for byte, served."""
        return orjson.dumps(self)

    @classmethod
    def from_document(cls, document: bytes) -> Self:
        return cls(**orjson.loads(document))
