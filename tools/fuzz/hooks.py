"""Values that schemathesis cannot generate from the schema, because they depend on earlier answers (loaded by fuzz.toml)."""

import unicodedata
import zlib
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis
from schemathesis import GenerationMode, HookContext

_given: dict[str, str] = {}
"""The last cursor of a page, as a query."""

_sent: Counter[str] = Counter()
"""The number of requests with an Idempotency-Key."""


def address(text: str) -> str:
    """A valid address for any text; the same text gives the same address."""
    return f"{zlib.crc32(text.encode(errors='replace'))}@example.com"


def full_name(text: str) -> str:
    """The text without control characters and surrounding white space, or `x` if nothing is left."""
    return (
        "".join(character for character in text if unicodedata.category(character) not in {"Cc", "Cs"}).strip() or "x"
    )


VALID = {"email": address, "name": full_name}
"""Fields whose rules only the schema's description has."""


@schemathesis.hook
def before_call(context: HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """Makes a positive case valid: a cursor from a page, a valid name and email, and every second time a new key."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if "cursor" in (case.query or {}):
        kept = {name: value for name, value in case.query.items() if name not in {"cursor", "email"}}
        case.query = kept | _given
    if "email" in (case.query or {}):
        case.query["email"] = address(case.query["email"])
    if isinstance(case.body, dict):
        case.body |= {name: VALID[name](case.body[name]) for name in VALID.keys() & case.body.keys()}
    key = (case.headers or {}).get("Idempotency-Key")
    if key is not None:
        _sent[key] += 1
        if _sent[key] % 2 == 0:
            case.headers["Idempotency-Key"] = f"{key[:200]}/{_sent[key]}"


@schemathesis.hook
def after_call(context: HookContext, case: Any, response: Any) -> None:
    if response.status_code == 200 and b'"next":"' in response.content:
        _given["cursor"] = parse_qs(urlsplit(response.json()["next"]).query)["cursor"][0]
