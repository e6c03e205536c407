"""What schemathesis cannot generate from the schema, since it depends on what went before (loaded through fuzz.toml)."""

from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis
from schemathesis import GenerationMode, HookContext

_given: dict[str, str] = {}
"""The last cursor that a page gave, as a query."""

_sent: Counter[str] = Counter()
"""How often an Idempotency-Key was sent."""


@schemathesis.hook
def before_call(context: HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """In a request that is to be valid: a cursor that a page gave, and every second time a fresh key."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if "cursor" in (case.query or {}):
        kept = {name: value for name, value in case.query.items() if name not in {"cursor", "email"}}
        case.query = kept | _given
    key = (case.headers or {}).get("Idempotency-Key")
    if key is not None:
        _sent[key] += 1
        if _sent[key] % 2 == 0:
            case.headers["Idempotency-Key"] = f"{key[:200]}/{_sent[key]}"


@schemathesis.hook
def after_call(context: HookContext, case: Any, response: Any) -> None:
    """Remembers the cursors that pages give."""
    if response.status_code == 200 and b'"next":"' in response.content:
        _given["cursor"] = parse_qs(urlsplit(response.json()["next"]).query)["cursor"][0]
