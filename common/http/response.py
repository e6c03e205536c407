"""The answer as both sites make it: bytes already, no header object unless somebody asks for one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from django.http import HttpResponse
from django.http.response import ResponseHeaders
from django.utils.functional import cached_property

Headers = list[tuple[bytes, bytes]]
Fields = tuple[tuple[bytes, bytes], ...]

JSON = (b"content-type", b"application/json")


class RawResponse(HttpResponse):
    """An answer whose head and body are bytes already; to a middleware that asks, a Django response like any other."""

    def __init__(self, status: int, raw_headers: Headers, body: bytes = b"") -> None:
        # Not super().__init__(): its header and cookie objects cost 6 µs that a stored document never needs.
        self.status_code = status
        self.raw_headers = raw_headers
        self.body = body
        self.closed = False
        self._charset = None
        self._reason_phrase = None
        self._handler_class = None
        self._resource_closers: list[Any] = []

    @cached_property
    def headers(self) -> ResponseHeaders:  # type: ignore[override]
        """Django's view of the head; once made, it is what is sent."""
        headers = ResponseHeaders({})
        for name, value in self.raw_headers:
            headers[name.decode("latin-1")] = value.decode("latin-1")
        return headers

    @cached_property
    def cookies(self) -> dict[str, Any]:  # type: ignore[override]
        return {}

    @property
    def content(self) -> bytes:
        return self.body

    @content.setter
    def content(self, value: bytes) -> None:
        self.body = value

    def head(self) -> Headers:
        """The header fields as they go out."""
        if "headers" not in self.__dict__:
            return self.raw_headers
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]


def json_answer(content: object, status: int = 200) -> HttpResponse:
    """A small JSON answer."""
    return RawResponse(status, [JSON], orjson.dumps(content))


class StreamedResponse(RawResponse):
    """An answer whose body comes in chunks; `close` gives the rest of it up, whether or not it was read."""

    streaming = True

    def __init__(
        self,
        status: int,
        raw_headers: Headers,
        chunks: AsyncIterator[bytes],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(status, raw_headers)
        self.chunks, self.aclose = chunks, close

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks
