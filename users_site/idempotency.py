"""`Idempotency-Key` on POST: the same key and body again within 24 h is the first answer again."""

import hashlib
import re
from typing import Any

import orjson
from rest_framework.exceptions import ValidationError

from common.http.request import Request
from users_site.repository.entries import Idempotency

HEADER = b"idempotency-key"
CALLER = b"x-authenticated-subject"
"""The caller, to whom a key belongs. The gateway sets this field and drops it from clients' requests."""

REPLAYED = (b"idempotency-replayed", b"true")
"""The header field of every repeated first answer, conflicts included."""

_valid = re.compile(r"[\x21-\x7e]{1,255}").fullmatch


def of(request: Request, fields: dict[str, Any]) -> Idempotency | None:
    """The request's key with the fingerprint of its fields, or None. Raises ValidationError (400)."""
    key = request.header_values(HEADER)  # two fields are refused: joined, they contain a space
    if key is None:
        return None
    if not _valid(key):
        raise ValidationError({"Idempotency-Key": ["1 to 255 visible ASCII characters are allowed."]}, code="invalid")
    # A fingerprint of the validated fields: white space and the order of fields do not matter.
    fingerprint = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).digest()
    return Idempotency(key, fingerprint, request.header_values(CALLER) or "")
