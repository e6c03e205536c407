"""Checks whether bytes are a document that the API could have stored, for audit, export and import.

The rules are those of users_contract. A stricter regular expression accepts most documents (2 µs); the fields validate
the others (30 µs).
"""

import re
from datetime import datetime
from typing import NamedTuple

import orjson
from rest_framework.exceptions import ValidationError

from users_contract.contracts import EMAIL_MAX, EMAIL_PATTERN, ROLES, NameField

FIELDS = ["id", "name", "email", "role", "created_at", "updated_at"]

_ID = rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_LETTER = rb"(?:[A-Za-z]|\xc3[\x80-\xbf]|[\xc4\xc5][\x80-\xbf])"  # up to U+017F, in UTF-8
_NAME = _LETTER + rb"(?:[ '.-]?" + _LETTER + rb"){0,90}"
_EMAIL = rb"[a-z0-9]{1,30}(?:[.+_-][a-z0-9]{1,30}){0,3}@(?:[a-z0-9]{1,30}\.){1,3}[a-z]{2,10}"
_plain = re.compile(
    rb'\{"id":"(%b)","name":"%b","email":"(%b)","role":"(?:user|admin)","created_at":"(%b)","updated_at":"(%b)"\}'
    % (_ID, _NAME, _EMAIL, _TIME, _TIME)
).fullmatch
_is_id = re.compile(_ID.decode()).fullmatch
_is_time = re.compile(_TIME.decode()).fullmatch
# Without the limit on the local part: stores of earlier versions may have longer ones.
_is_address = re.compile(EMAIL_PATTERN).fullmatch
_name = NameField()


class BadDocument(Exception):
    """The bytes are not a user as the API stores it; the text has the reason, without the bytes."""


class Identity(NamedTuple):
    id: str
    email: str


def identify(document: bytes) -> Identity:
    """The id and email of a document. Raises BadDocument."""
    plain = _plain(document)
    if plain is None:
        return _identify_slowly(document)
    user_id, email, *times = plain.groups()
    for moment in times:
        _require_time(moment.decode())
    return Identity(user_id.decode(), email.decode())


def email_of(document: bytes) -> str:
    """The email in a document, which may be broken; "" if there is none."""
    try:
        return str(orjson.loads(document)["email"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def _identify_slowly(document: bytes) -> Identity:
    try:
        fields = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise BadDocument("it is no JSON") from error
    if not isinstance(fields, dict) or list(fields) != FIELDS:
        raise BadDocument(f"its fields are not {', '.join(FIELDS)}, in this order")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise BadDocument(f"{name} is no string")
    if orjson.dumps(fields) != document:
        raise BadDocument("it is not written as the API writes it: no white space, no escapes that JSON can do without")
    if not _is_id(fields["id"]):
        raise BadDocument("id is no UUIDv7 in lower case")
    if fields["role"] not in ROLES:
        raise BadDocument(f"role is none of {', '.join(ROLES)}")
    if not _is_address(fields["email"]) or len(fields["email"]) > EMAIL_MAX:
        raise BadDocument("email is not valid")
    _require_name(fields["name"])
    for name in ("created_at", "updated_at"):
        _require_time(fields[name])
    return Identity(fields["id"], fields["email"])


def _require_name(value: str) -> None:
    try:
        valid = _name.run_validation(value)
    except ValidationError as error:
        raise BadDocument("name is not valid") from error
    if valid != value:
        raise BadDocument("name has white space around it")


def _require_time(text: str) -> None:
    try:
        datetime.fromisoformat(text)
        valid = _is_time(text)
    except ValueError:
        valid = None
    if not valid:
        raise BadDocument("a time is not RFC 3339 in UTC with microseconds and Z")
