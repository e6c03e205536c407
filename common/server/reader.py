"""Reads a connection's requests with httptools and refuses the heads that it lets through and should not."""

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httptools

from common.server import limits
from common.server.refusal import Refusal

if TYPE_CHECKING:
    from asgiref.typing import HTTPScope

    from common.server.protocol import Protocol

_request_id = re.compile(rb"\r\nx-request-id:[ \t]*([\w.-]+)[ \t]*\r\n", re.IGNORECASE).search
_method = re.compile(rb"\s*([A-Z][A-Z0-9-]{0,31})(?= )").match
_http = re.compile(rb"http://([^/?#]*)", re.IGNORECASE).match


class Reader:
    """httptools calls the `on_…` methods, which call the connection."""

    def __init__(self, connection: "Protocol") -> None:
        self.connection = connection
        self.parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self.in_head = self.is_new_head = False
        self.url, self.fields = b"", list[tuple[bytes, bytes]]()
        self.head_bytes = self.surplus = 0
        self.method = b""  # where httptools does not know it
        self.refusal: Refusal | None = None

    def stop(self) -> None:
        """Discards what follows."""
        self.parser, self.in_head = None, False

    def feed(self, data: memoryview) -> None:
        """`data` is what one read gave."""
        self.is_new_head = False
        while self.parser is not None:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:  # ignored (RFC 9110 §7.8): HTTP follows
                if self.parser is not None:
                    self.parser, data = httptools.HttpRequestParser(self), data[upgrade.args[0] :]
            except httptools.HttpParserInvalidMethodError as error:
                known = _method(data)
                if known is None or self.method or self.connection.exchange is not None:
                    self._failed(error, bytes(data))
                else:
                    self.method, self.parser = known[1], httptools.HttpRequestParser(self)
                    data = memoryview(b"GET" + data[known.end() :])
            except httptools.HttpParserError as error:
                self._failed(error, bytes(data))
        if self.in_head or self.connection.incoming is not None:
            # A head that begins behind another request, within this read: only what is parsed of it is surely its own.
            is_behind = self.is_new_head and self.connection.exchange is not None
            self.surplus += self.head_bytes if is_behind else len(data)
            if self.surplus > limits.HEAD_BYTES:
                self.refuse(self.refusal or Refusal(431, "The head or the trailers are too large."))

    def _failed(self, error: httptools.HttpParserError, data: bytes) -> None:
        if self.parser is None:  # stopped within this read
            return
        if isinstance(error, httptools.HttpParserCallbackError):
            raise error  # a defect of ours
        if self.in_head and self.connection.exchange is None:
            given = _request_id(data.partition(b"\r\n\r\n")[0] + b"\r\n")
            self.fields += [(b"x-request-id", given[1])] if given else []
        self.refuse(self.refusal or Refusal(400, f"{error}."))

    def refuse(self, refusal: Refusal) -> None:
        """Ends the reading with this answer."""
        scope = self._scope(self.parser if self.url else None, "1.1")
        self.stop()
        self.connection.refuse(refusal, scope)

    def on_message_begin(self) -> None:
        if self.parser is None:
            raise httptools.HttpParserError  # ends the parsing
        self.in_head = self.is_new_head = True
        self.url, self.fields, self.refusal = b"", [], None
        self.head_bytes = self.surplus = 0
        self.connection.head_began()

    def on_url(self, url: bytes) -> None:
        self.url += url
        self.head_bytes += len(url)
        if self.head_bytes > limits.LINE_BYTES:
            self.refusal = Refusal(414, "The request target is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name) + len(value) + 4
        self.head_bytes += size
        name = name.lower()
        if not self.in_head:  # a trailer
            if name in {b"content-length", b"transfer-encoding"}:
                self.refuse(Refusal(400, "A trailer frames the body."))
        elif size > limits.FIELD_BYTES:
            self.refusal = Refusal(431, "A header field is too large.")
        elif len(self.fields) >= limits.FIELDS and name != b"x-request-id":
            self.refusal = Refusal(431, "There are too many header fields.")
        elif b"_" not in name:  # CGI and WSGI read `a_b` as `a-b`
            self.fields.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.parser is None:
            return
        version = self.parser.get_http_version()
        refusal = self.refusal or self._head_refusal(version)
        if refusal is not None:
            self.refuse(refusal)
            return
        self.in_head, self.surplus = False, 0
        self.connection.request_began(self._scope(self.parser, version), keep_alive=self.parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        self.surplus -= 10 * len(body)  # a chunk of one byte has a frame of five
        self.connection.body_arrived(body)

    def on_message_complete(self) -> None:
        self.connection.request_ended()

    def _head_refusal(self, version: str) -> Refusal | None:
        names = [name for name, _ in self.fields]
        if self.head_bytes > limits.HEAD_BYTES:
            return Refusal(431, "The head is too large.")
        if version not in {"1.0", "1.1"}:
            return Refusal(400, "The HTTP version is not supported.")
        if names.count(b"host") > 1 or (b"host" not in names and version == "1.1"):
            return Refusal(400, "A request has one Host.")
        if b"transfer-encoding" in names:
            codings = [value.lower() for name, value in self.fields if name == b"transfer-encoding"]
            if codings != [b"chunked"] or version == "1.0":
                return Refusal(400, "The only transfer coding is chunked.")
        if absolute := _http(self.url):  # RFC 9112 §3.2.2: its authority goes before Host
            self.url = b"/" + self.url[absolute.end() :].removeprefix(b"/")
            self.fields = [field for field in self.fields if field[0] != b"host"] + [(b"host", absolute[1])]
        if not self.url.startswith(b"/") or not self.url.isascii() or b"#" in self.url:
            return Refusal(400, "The request target is not a path.")
        return None

    def _scope(self, parser: httptools.HttpRequestParser | None, version: str) -> "HTTPScope":
        """`parser`: it has read the method."""
        method, self.method = self.method or (parser.get_method() if parser else b"OTHER"), b""
        target = self.url if self.url.startswith(b"/") and self.url.isascii() else b""
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": version,
            "method": method.decode("ascii"),
            "scheme": "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self.fields,
            "client": self.connection.client,
            "server": self.connection.server,
            "state": {},
            "extensions": {},
        }
