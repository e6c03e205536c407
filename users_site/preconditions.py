"""ETags and the conditions that clients set on them (RFC 9110 §8.8.3, §13)."""

from django.utils.http import parse_etags

from common.http.request import Request
from users_site.repository.users import Matches, version


def etag(document: bytes) -> str:
    """The strong ETag of a document: made from the stored bytes, so no version field is needed."""
    return f'"{version(document)}"'


def if_match(request: Request) -> Matches | None:
    """The test that `If-Match` asks for, or None where it does not stand. Weak tags never match (§13.1.1)."""
    value = request.header_values(b"if-match")
    if value is None:
        return None
    tags = parse_etags(value)
    return lambda document: "*" in tags or etag(document) in tags


def is_unmodified(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names this version, so that a GET is answered with 304. Weak comparison (§13.1.2)."""
    value = request.header_values(b"if-none-match")
    if value is None:
        return False
    tags = [given.removeprefix("W/") for given in parse_etags(value)]
    return "*" in tags or tag in tags
