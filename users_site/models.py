"""The stored model."""

from dataclasses import dataclass
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class User:
    """A user, field for field as on the wire and as stored. Times are RFC 3339 in UTC with microseconds and `Z`."""

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
