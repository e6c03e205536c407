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
"""From the gateway, which takes it off what clients send: a key belongs to its caller."""

REPLAYED = (b"idempotency-replayed", b"true")
"""On every answer that is the first one again, a conflict too."""

_valid = re.compile(r"[\x21-\x7e]{1,255}").fullmatch


def of(request: Request, fields: dict[str, Any]) -> Idempotency | None:
    """The request's key with the fingerprint of its fields, or None. Raises ValidationError (400)."""
    key = request.header_values(HEADER)  # two keys are none: joined, they hold a space
    if key is None:
        return None
    if not _valid(key):
        raise ValidationError({"Idempotency-Key": ["1 to 255 visible ASCII characters are allowed."]}, code="invalid")
    # Of the validated fields: white space and the order of fields do not make another request.
    fingerprint = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).digest()
    return Idempotency(key, fingerprint, request.header_values(CALLER) or "")
