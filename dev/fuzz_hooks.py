"""What schemathesis cannot generate from the schema: a cursor, which only a page gives out (loaded through fuzz.toml)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis
from schemathesis import GenerationMode, HookContext

_given: dict[str, str] = {}
"""The last cursor that a page gave, as a query."""


@schemathesis.hook
def before_call(context: HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """In a request that is to be valid, an invented cursor becomes a given one, alone as the schema says in words."""
    query = case.query or {}
    if "cursor" not in query or case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    kept = {name: value for name, value in query.items() if name not in {"cursor", "email"}}
    case.query = kept | _given


@schemathesis.hook
def after_call(context: HookContext, case: Any, response: Any) -> None:
    """Remembers the cursors that pages give."""
    if response.status_code != 200 or b'"next":"' not in response.content:
        return
    _given["cursor"] = parse_qs(urlsplit(response.json()["next"]).query)["cursor"][0]
