"""Compresses a route's answers with gzip or br, if the client accepts it (RFC 9110 §8.4, §12.5.3)."""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import lru_cache

from common.http.request import Request
from common.http.response import Headers, RawResponse, StreamedResponse
from common.http.views import View
from gateway_site.forwarding.headers import joined
from gateway_site.routes.table import Compression

INLINE_BYTES = 16_384
"""A body up to this size is compressed in the event loop, in some 0.1 ms; a larger one in a thread, without the GIL."""

GZIP_LEVEL, BR_QUALITY = 5, 4

CODABLE = re.compile(rb"text/(?!event-stream)|application/(?:[\w.-]+\+)?(?:json|xml|javascript)\b|image/svg\+xml")
"""Prefixes of Content-Types that compress well. Not event streams: an event must not wait for the next one."""

LEFT_ALONE = frozenset(
    (b"content-encoding", b"content-range", b"content-digest", b"repr-digest", b"content-md5", b"digest")
)
"""Answers with these fields are not compressed: the fields would become wrong."""

Coder = tuple[Callable[[bytes], bytes], Callable[[], bytes]]
"""A function that compresses a piece, and one that finishes. The output does not depend on the sizes of the pieces, as
a strong ETag requires."""

SUFFIX = re.compile(rb'~(?:gzip|br)"')
"""Suffix of the ETag of a compressed answer: `"x~gzip"` for the upstream's `"x"`."""


def _gzip() -> Coder:
    made = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    return made.compress, made.flush


def _br() -> Coder:
    import brotli  # 5 MB, for routes that ask for it

    made = brotli.Compressor(quality=BR_QUALITY)
    return made.process, made.finish


CODERS = {"gzip": _gzip, "br": _br}


class Compressed:
    """The view of a route, with compressed answers. `threads`: for large bodies."""

    def __init__(self, view: View, compression: Compression, threads: Executor) -> None:
        self._view, self._threads = view, threads
        self._codings, self._min_bytes = compression.codings, compression.min_bytes

    async def serve(self, request: Request, identity: Headers | None = None) -> RawResponse:
        accepted = acceptable(joined(request.fields, b"accept-encoding"), self._codings)
        held = joined(request.fields, b"if-none-match")
        # A client that has only a compressed answer, but no longer accepts its coding, needs a new one.
        known = accepted if request.method in {"GET", "HEAD"} else CODERS
        request.fields = [(name, _without_suffix(name, value, known)) for name, value in request.fields]
        answer: RawResponse = await self._view(request, identity)
        if answer.status_code == 304:
            answer.raw_headers = [(n, _held(v, held, accepted) if n == b"etag" else v) for n, v in answer.raw_headers]
        elif not self._is_codable(answer):
            return answer
        if b"accept-encoding" not in joined(answer.raw_headers, b"vary").lower():
            answer.raw_headers.append((b"vary", b"Accept-Encoding"))
        if accepted and answer.status_code != 304 and self._is_large(answer):
            return await self._code(request, answer, accepted[0])
        return answer

    def _is_codable(self, answer: RawResponse) -> bool:
        fields = dict(answer.raw_headers)
        return (
            CODABLE.match(fields.get(b"content-type", b"").lower()) is not None
            and LEFT_ALONE.isdisjoint(fields)
            and b"no-transform" not in joined(answer.raw_headers, b"cache-control").lower()
        )

    def _is_large(self, answer: RawResponse) -> bool:
        length = len(answer.content) or int(dict(answer.raw_headers).get(b"content-length", b"0"))  # of HEAD
        return answer.streaming or length >= self._min_bytes

    async def _code(self, request: Request, answer: RawResponse, coding: str) -> RawResponse:
        changed = {b"content-length", b"accept-ranges", b"etag"}
        fields = [field for field in answer.raw_headers if field[0] not in changed]
        fields.append((b"content-encoding", coding.encode("ascii")))
        tag = dict(answer.raw_headers).get(b"etag")
        if tag is not None:
            # After a PUT it names the upstream's representation, not this body (RFC 9110 §8.8.3).
            fields.append((b"etag", _with_suffix(tag, coding) if request.method in {"GET", "HEAD"} else tag))
        if request.method == "HEAD":
            return RawResponse(answer.status_code, fields)
        coder = CODERS[coding]()
        if isinstance(answer, StreamedResponse):
            return StreamedResponse(answer.status_code, fields, self._chunks(answer.chunks, coder), answer.aclose)
        if len(answer.content) <= INLINE_BYTES:
            return RawResponse(answer.status_code, fields, _whole(coder, answer.content))
        body = await asyncio.get_running_loop().run_in_executor(self._threads, _whole, coder, answer.content)
        return RawResponse(answer.status_code, fields, body)

    async def _chunks(self, chunks: AsyncIterator[bytes], coder: Coder) -> AsyncIterator[bytes]:
        loop, (step, finish) = asyncio.get_running_loop(), coder
        async for chunk in chunks:
            if coded := await loop.run_in_executor(self._threads, step, chunk):
                yield coded
        yield await loop.run_in_executor(self._threads, finish)


def _whole(coder: Coder, body: bytes) -> bytes:
    step, finish = coder
    return step(body) + finish()


@lru_cache(maxsize=1024)
def acceptable(value: bytes, codings: Sequence[str]) -> tuple[str, ...]:
    """The codings that Accept-Encoding prefers to `identity`, best first; equal ones in the given order."""
    weights: dict[str, float] = {}
    for item in value.decode("latin-1").lower().split(","):
        name, _, parameter = item.partition(";")
        weights.setdefault(name.strip().removeprefix("x-"), _weight(parameter))
    least = weights.get("identity", 0.0)
    found = {coding: weights.get(coding, weights.get("*", 0.0)) for coding in codings}
    wanted = [coding for coding in codings if found[coding] > 0 and found[coding] >= least]
    return tuple(sorted(wanted, key=lambda coding: -found[coding]))


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    return float(value) if re.fullmatch(r"\s*[01](?:\.\d{0,3})?\s*", value, re.ASCII) else 0.0


def _with_suffix(tag: bytes, coding: str) -> bytes:
    """A weak tag stays: it may name several codings. A strong one names one sequence of bytes."""
    return tag[:-1] + f'~{coding}"'.encode("ascii") if tag.startswith(b'"') else tag


def _without_suffix(name: bytes, value: bytes, codings: Iterable[str]) -> bytes:
    if name not in {b"if-match", b"if-none-match"}:
        return value
    return SUFFIX.sub(lambda found: b'"' if found[0][1:-1].decode() in codings else found[0], value)


def _held(tag: bytes, held: bytes, codings: Sequence[str]) -> bytes:
    """The tag of a 304: the client's own, which names the coding of its copy."""
    return next((coded for coding in codings if (coded := _with_suffix(tag, coding)) in held), tag)
