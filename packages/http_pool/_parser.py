"""Parses one connection's answers with llhttp and refuses every ambiguous one (RFC 9112)."""

import asyncio
from collections.abc import Callable

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from ._answer import Stream
from ._errors import BadAnswer

MAX_HEAD = 64 * 1024


class AnswerParser:
    """The answer to the request of the last `reset()`, as far as it has arrived.

    llhttp in its strict mode refuses bare LF, obsolete folding, bad chunks, a second Content-Length, and
    Content-Length with Transfer-Encoding.
    """

    def __init__(self) -> None:
        self._llhttp = HttpResponseParser(self)
        self._is_head = self.is_raw = False  # raw: after a 101
        self.reset(is_head=False)

    def reset(self, *, is_head: bool, upgrades: bool = False) -> None:
        """Expect the answer to a new request."""
        if self._is_head:  # llhttp expects the body that the answer to HEAD announced
            self._llhttp = HttpResponseParser(self)
        self._is_head, self._upgrades = is_head, upgrades
        self.status = 0  # of the final answer, once its head is complete
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []  # the body so far, unless it goes to `stream`
        self.body_size = self._undigested = 0
        self.stream: Stream | None = None
        self.complete = self.keep_alive = False
        self.until_close = False  # the body ends with the connection

    def feed(self, data: bytes) -> None:
        """Raises BadAnswer for bytes that are not an answer, for a second answer, and for a head without end."""
        if self.is_raw:
            self.on_body(data)
            return
        # Bytes since the last body byte: of heads, 1xx answers, chunk extensions and trailers.
        self._undigested += len(data)
        try:
            self._llhttp.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self.is_raw = True
            if rest := data[upgrade.args[0] :]:
                self.on_body(rest)
        except HttpParserError as error:
            raise BadAnswer(str(error.__context__ or error)) from None
        if self._undigested > MAX_HEAD and not self.complete:
            raise BadAnswer(f"{self._undigested} bytes without an end of head or a byte of body")

    def open_stream(self, transport: asyncio.Transport, drop: Callable[[BaseException], None]) -> Stream:
        """Move the body so far to a stream, and feed the rest to it."""
        self.stream = Stream(transport, drop, self.chunks)
        self.chunks = []
        return self.stream

    def take_body(self) -> bytes:
        """The body of a complete answer without a stream; releases it, so that no idle connection holds it."""
        chunks, self.chunks = self.chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def started(self) -> bool:
        """Whether any byte has arrived."""
        return self.status > 0 or self._undigested > 0

    # Callbacks of llhttp: feed_data raises their exceptions as the context of its own.

    def on_message_begin(self) -> None:
        if self.complete:
            raise BadAnswer("more bytes than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status == 0:  # else it is a trailer
            self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._llhttp.get_status_code()
        if status == 101 and self._upgrades and self._llhttp.should_upgrade():
            if [value.lower() for name, value in self.headers if name == b"upgrade"] != [b"websocket"]:
                raise BadAnswer("an upgrade to another protocol")  # RFC 6455 §4.1
            self._check_head()
            self.status, self.keep_alive, self.until_close = status, False, True
            return
        if status < 200:
            if status < 100 or status == 101:  # nothing asked for this upgrade
                raise BadAnswer(f"status {status}")
            self.headers = []
            return
        if status > 599:
            raise BadAnswer(f"status {status}")
        self._check_head()
        self.status = status
        self.complete = self._is_head

    def _check_head(self) -> None:
        headers = self.headers
        # Colon, space, CR, LF: a flood of short fields counts too.
        if self._undigested > MAX_HEAD and sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD:
            raise BadAnswer(f"a head of more than {MAX_HEAD} bytes")
        codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or self._llhttp.get_http_version() != "1.1"):
            raise BadAnswer("an unknown transfer coding")
        self.keep_alive = self._llhttp.should_keep_alive()
        if not self.keep_alive:
            if self._llhttp.get_http_version() not in ("1.0", "1.1"):
                raise BadAnswer("not HTTP/1")
            self.until_close = not codings and all(name != b"content-length" for name, _ in headers)

    def on_chunk_header(self) -> None:
        if self.complete:
            raise BadAnswer("a body after HEAD")

    def on_body(self, chunk: bytes) -> None:
        if self.complete:
            raise BadAnswer("a body after HEAD")
        self._undigested = 0
        if self.stream is not None:
            self.stream.feed(chunk)
        else:
            self.body_size += len(chunk)
            self.chunks.append(chunk)

    def on_message_complete(self) -> None:
        if self.status and self.status != 101:  # else it was informational, or has just begun
            self.complete = True
