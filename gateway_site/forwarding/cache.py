"""Answers GET requests of a route from memory, as a shared cache (RFC 9111)."""

import time

from django.utils.http import parse_etags, parse_http_date_safe

from common.http.problem import Problem
from common.http.request import Request
from common.http.response import Headers, RawResponse, StreamedResponse
from common.http.views import View
from gateway_site.forwarding.cache_store import Asked, Entry, Store, directives, entry_of, seconds
from gateway_site.forwarding.metrics import cached
from gateway_site.routes.field_names import CREDENTIALS
from gateway_site.routes.table import READING, Cache

PASSED_ON = frozenset((b"range", b"if-match", b"if-range", b"if-unmodified-since"))
"""The upstream answers requests with these fields."""

CONDITIONS = frozenset((b"if-none-match", b"if-modified-since"))
NOT_IN_304 = frozenset((b"content-encoding", b"content-length", b"content-range", b"content-type"))
FAILURES = frozenset({500, 502, 503, 504})


class Cached:
    """The view of a route with a cache. `has_credentials`: whether a client's credentials reach the upstream."""

    def __init__(self, view: View, bounds: Cache, *, has_credentials: bool) -> None:
        self._view, self._store = view, Store(bounds)
        self._passed_on = PASSED_ON | CREDENTIALS if has_credentials else PASSED_ON

    async def serve(self, request: Request, identity: Headers | None = None) -> RawResponse:
        if request.method not in {"GET", "HEAD"}:
            return await self._other(request, identity)
        wanted = directives(request.fields) if b"cache-control" in request.raw_headers else {}
        if request.has_body or b"no-store" in wanted or not self._passed_on.isdisjoint(request.raw_headers):
            return await self._bypass(request, identity)
        # The caller is part of the key (§3.5), and the public URL: answers contain links.
        scope = request.scope
        base = scope["raw_path"], scope["query_string"], request.origin, tuple(identity or ())
        asked = Asked(request.path, base, request.fields, time.monotonic(), self._store.changes)
        entry = self._store.find(asked)
        if entry is not None:
            age = asked.at - entry.born
            if age < entry.lifetime and (not wanted or _suits(wanted, age)):
                return _answer(request, entry, "hit")
        if request.method == "HEAD":
            return await self._bypass(request, identity)
        return await self._ask(request, identity, asked, entry)

    async def _bypass(self, request: Request, identity: Headers | None) -> RawResponse:
        cached(request.route, "bypass").inc()
        answer: RawResponse = await self._view(request, identity)
        return answer

    async def _other(self, request: Request, identity: Headers | None) -> RawResponse:
        """Forwards a change and evicts the entries of its path (§4.4), also if its outcome is unknown."""
        status = 500
        try:
            answer: RawResponse = await self._view(request, identity)
            status = answer.status_code
        except Problem as problem:
            status = problem.status
            raise
        finally:
            if request.method not in READING and not 400 <= status < 500:
                self._store.changed(request.path)
        return answer

    async def _ask(self, request: Request, identity: Headers | None, asked: Asked, entry: Entry | None) -> RawResponse:
        """The upstream's answer; the stored one if the upstream confirms it or fails."""
        if entry is not None and entry.condition:
            request.fields = [field for field in asked.fields if field[0] not in CONDITIONS] + [entry.condition]
        try:
            answer: RawResponse = await self._view(request, identity)
        except Problem as problem:
            if problem.status in FAILURES and entry is not None and _may_be_stale(entry):
                return _answer(request, entry, "stale")
            raise
        if entry is not None:
            if answer.status_code == 304 and entry.condition:
                return self._revalidated(request, asked, entry, answer)
            if answer.status_code in FAILURES and _may_be_stale(entry):
                if isinstance(answer, StreamedResponse):
                    await answer.aclose()
                return _answer(request, entry, "stale")
        cached(request.route, "miss").inc()
        if not answer.streaming:
            new = entry_of(answer.status_code, answer.raw_headers, answer.content, asked.at)
            if new is not None:
                self._store.add(asked, new)
        return answer

    def _revalidated(self, request: Request, asked: Asked, entry: Entry, answer: RawResponse) -> RawResponse:
        """The stored answer with the fields of the 304 (§4.3.4)."""
        newer = [field for field in answer.raw_headers if field[0] not in NOT_IN_304]
        kept = [field for field in entry.fields if field[0] not in dict(newer)]
        new = entry_of(entry.status, kept + newer, entry.body, asked.at)
        if new is None:
            self._store.drop(asked.path)
        else:
            self._store.add(asked, new)
        return _answer(request, new or entry._replace(fields=kept + newer, born=asked.at), "revalidated")


def _suits(wanted: dict[bytes, bytes], age: float) -> bool:
    """Whether the client accepts a stored answer of this age without revalidation."""
    return b"no-cache" not in wanted and (b"max-age" not in wanted or age <= seconds(wanted[b"max-age"]))


def _may_be_stale(entry: Entry) -> bool:
    return time.monotonic() - entry.born < entry.lifetime + entry.grace


def _answer(request: Request, entry: Entry, outcome: str) -> RawResponse:
    cached(request.route, outcome).inc()
    fields = [*entry.fields, (b"age", b"%d" % (time.monotonic() - entry.born))]
    if entry.status == 200 and _is_held(request.raw_headers, entry):
        return RawResponse(304, [field for field in fields if field[0] not in NOT_IN_304])
    return RawResponse(entry.status, fields, entry.body)


def _is_held(given: dict[bytes, bytes], entry: Entry) -> bool:
    """Whether the client's conditions say that it has this answer (RFC 9110 §13.1.2, §13.1.3)."""
    held = given.get(b"if-none-match")
    if held is not None:
        tags = [tag.removeprefix("W/") for tag in parse_etags(held.decode("latin-1"))]
        return entry.etag is not None and ("*" in tags or entry.etag.decode("latin-1").removeprefix("W/") in tags)
    since, modified = (_date(value) for value in (given.get(b"if-modified-since"), entry.modified))
    return since is not None and modified is not None and modified <= since


def _date(value: bytes | None) -> int | None:
    return None if value is None else parse_http_date_safe(value.decode("latin-1"))
