"""ETags and conditional requests (RFC 9110 §8.8.3, §13)."""

from django.utils.http import parse_etags

from common.http.request import Request
from users_site.repository.change import Matches, version
from users_site.repository.errors import VersionMismatch


def etag(document: bytes) -> str:
    """The strong ETag of a document, made from the stored bytes, so that no version field is needed."""
    return f'"{version(document)}"'


def for_write(request: Request) -> Matches | None:
    """The condition for a change of a document, or None if the request has none."""
    match, none_match = _tags(request, b"if-match"), _tags(request, b"if-none-match")
    if match is None and none_match is None:
        return None

    def holds(document: bytes) -> bool:
        tag = etag(document)
        return _matches(match, tag) and not (none_match and _matches_weakly(none_match, tag))

    return holds


def is_unmodified(request: Request, tag: str) -> bool:
    """Whether a GET is answered with 304. Raises VersionMismatch (412) if If-Match fails, which is evaluated first
    (§13.2.2)."""
    if not _matches(_tags(request, b"if-match"), tag):
        raise VersionMismatch
    none_match = _tags(request, b"if-none-match")
    return none_match is not None and _matches_weakly(none_match, tag)


def _tags(request: Request, name: bytes) -> list[str] | None:
    value = request.header_values(name)
    return None if value is None else parse_etags(value)


def _matches(tags: list[str] | None, tag: str) -> bool:
    """Strong comparison: weak tags never match (§13.1.1). No field always holds."""
    return tags is None or "*" in tags or tag in tags


def _matches_weakly(tags: list[str], tag: str) -> bool:
    return "*" in tags or tag in [given.removeprefix("W/") for given in tags]
