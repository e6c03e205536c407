"""Damaged records: detected by a cheap check, logged, counted, never served."""

import logging
import time
import uuid
from collections.abc import Callable

import orjson
from prometheus_client import Counter

from users_site.models import User, timestamp

logger = logging.getLogger(__name__)

MAX_DOCUMENT_BYTES = 8192
"""A document has at most 2.1 kB: 200 characters of name and 254 of email, each up to 4 bytes."""

DAMAGED = Counter("user_records_damaged", "Damaged records that requests found", ("fault",))
BRACE = ord("}")


def _reporter(fault: str, line: str) -> Callable[[str], None]:
    """A function that logs this message with the id of a user, and counts the fault."""
    count = DAMAGED.labels(fault)

    def report(user_id: str) -> None:
        count.inc()
        logger.error(line, user_id)

    return report


report_broken = _reporter(
    "broken", "the record of user %s is broken: run verify_users, or replace or delete it through the API"
)
report_missing = _reporter("missing", "the index names user %s, whose record is missing: run verify_users")
report_stale_claim = _reporter("claim", "a claim names user %s, whose email is another: run verify_users --repair")


def is_whole(document: bytes, user_id: bytes) -> bool:
    """Whether the bytes look like this user's document; verify_users also parses it."""
    return (
        document[:44] == b'{"id":"' + user_id + b'"' and document[-1:] == b"}" and len(document) <= MAX_DOCUMENT_BYTES
    )


def id_in(document: bytes) -> str:
    """The id of a whole document, which starts with {"id":"<36 characters>"."""
    return document[7:43].decode()


def are_whole(documents: list[bytes | None], ids: list[bytes]) -> bool:
    """Whether all are whole: as `is_whole` for each, in a third of the time."""
    try:
        return [document[:44] for document in documents] == [b'{"id":"' + user_id + b'"' for user_id in ids] and (  # type: ignore[index]
            [document[-1] for document in documents] == [BRACE] * len(ids)  # type: ignore[index]
            and max(map(len, documents)) <= MAX_DOCUMENT_BYTES  # type: ignore[arg-type]
        )
    except (TypeError, IndexError):  # absent, or empty
        return False


def parsed(document: bytes, user_id: str) -> User | None:
    """The user in a document, None if it is broken."""
    try:
        user = User.from_document(document)
    except (orjson.JSONDecodeError, TypeError):
        return None
    texts = (user.id, user.name, user.email, user.role, user.created_at, user.updated_at)
    return user if is_whole(document, user_id.encode()) and all(isinstance(text, str) for text in texts) else None


def stand_in(document: bytes, user_id: str) -> User:
    """The legible parts of a broken record; its creation time is in the id."""
    try:
        fields = orjson.loads(document)
    except orjson.JSONDecodeError:
        fields = {}
    legible = fields if isinstance(fields, dict) else {}
    name, email, role, created = (
        value if isinstance(value := legible.get(field), str) else ""
        for field in ("name", "email", "role", "created_at")
    )
    return User(user_id, name, email, role, created or _created_at(user_id), "")


def _created_at(user_id: str) -> str:
    value = uuid.UUID(user_id)
    seconds = (value.int >> 80) / 1000 if value.version == 7 else time.time()
    return timestamp(seconds)
