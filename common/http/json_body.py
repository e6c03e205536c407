"""JSON bodies by RFC 8259: no NaN, no lone surrogates, no invalid UTF-8, at most 1,024 levels deep (orjson)."""

import re
from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from common.http.body import read_body
from common.http.problem import Problem
from common.http.request import Request

JSON_TYPES = frozenset({"application/json"})
MERGE_TYPES = JSON_TYPES | {"application/merge-patch+json"}
_other_charset = re.compile(r';\s*charset=(?!"?utf-?8"?\s*(;|\Z))', re.IGNORECASE).search


def parse_json(body: bytes) -> Any:
    """The parsed body. Raises ParseError (400) with the position, never the content."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from error


async def json_body(request: Request, media_types: frozenset[str] = JSON_TYPES) -> Any:
    """The parsed body. Raises Problem (413, 415), ParseError (400)."""
    if (coding := request.header_values(b"content-encoding")) and coding.strip().lower() != "identity":
        raise Problem(
            "unsupported-media-type",
            f"A body with Content-Encoding {coding[:100]} cannot be read: send it without.",
            headers=[(b"accept-encoding", b"identity")],  # RFC 9110 §15.5.16
        )
    given = request.header_values(b"content-type") or ""
    if given.partition(";")[0].strip().lower() not in media_types or _other_charset(given):
        detail = f'Unsupported media type "{given[:100]}" in request.' if given else "The body has no Content-Type."
        name = b"accept-patch" if request.method == "PATCH" else b"accept"  # RFC 5789 §2.2, RFC 9110 §15.5.16
        accepted = ", ".join(sorted(media_types)).encode("ascii")
        raise Problem("unsupported-media-type", detail, headers=[(name, accepted)])
    return parse_json(await read_body(request))


class StrictJSONParser(BaseParser):
    """For the browsable API and the schema, whose bodies DRF reads itself."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return parse_json(stream.read())


class MergePatchParser(StrictJSONParser):
    """RFC 7396."""

    media_type = "application/merge-patch+json"
