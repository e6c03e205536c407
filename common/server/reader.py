"""Parses the requests of a connection with httptools, and adds the checks and limits that httptools lacks."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools

from common.server import limits
from common.server.refusal import Refusal

if TYPE_CHECKING:
    from asgiref.typing import HTTPScope

    from common.server.protocol import Protocol

_request_id = re.compile(rb"\r\nx-request-id:[ \t]*([\w.-]+)[ \t]*\r\n", re.IGNORECASE).search
_method = re.compile(rb"[\r\n]*([A-Z][A-Z0-9-]{0,31})(?= )").match
WEBSOCKET: Any = {"websocket": {}}
"""The extension of a scope whose answer may be 101: then the bodies of request and answer are the raw frames."""
FRAMING = (b"content-length", b"transfer-encoding")
UNDERSCORE, HASH = b"_#"  # as numbers: `b"_" in name` makes CPython raise and drop a TypeError, 0.4 µs each time
_http = re.compile(rb"http://([^/?#]*)", re.IGNORECASE).match


class Reader:
    """`head_bytes`: the parsed size of the current head. `surplus`: bytes received outside bodies, parsed or not."""

    def __init__(self, connection: "Protocol") -> None:
        self.connection = connection
        self.parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self.in_head = self.is_new_head = False
        self.url, self.fields = b"", list[tuple[bytes, bytes]]()
        self.head_bytes = self.surplus = 0
        self.method = b""  # set if httptools does not know it
        self.refusal: Refusal | None = None
        self.is_replay = False  # the new parser reads a head again
        self.is_websocket = self.is_raw = False  # raw: frames follow the head

    def stop(self) -> None:
        """Discards all further input."""
        self.parser, self.in_head, self.is_raw = None, False, False

    def feed(self, data: memoryview) -> None:
        if self.is_raw:
            self.connection.body_arrived(bytes(data))
            return
        self.is_new_head = False
        rest: memoryview | None = data
        while rest is not None and self.parser is not None:
            rest = self._parse(self.parser, rest)
        if self.in_head or self.connection.incoming is not None:
            # If a head begins after another request within this read, the following bytes may belong to a later head.
            is_behind = self.is_new_head and self.connection.exchange is not None
            self.surplus += self.head_bytes if is_behind else len(data)
            if self.surplus > limits.HEAD_BYTES:
                self.refuse(self.refusal or Refusal(431, "The head or the trailers are too large."))

    def _parse(self, parser: httptools.HttpRequestParser, data: memoryview) -> memoryview | None:
        """Returns the bytes with which a new parser must continue."""
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.is_websocket:
                self.is_raw, self.surplus = True, 0
                self.connection.body_arrived(bytes(data[upgrade.args[0] :]))
                return None
            return self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError as error:
            unknown = _method(data)
            if unknown is not None and self.is_new_head and not self.method and self.connection.exchange is None:
                self.method = unknown[1]
                return self._resume(memoryview(b"GET" + data[unknown.end() :]))
            self._failed(error, bytes(data))
        except httptools.HttpParserError as error:
            self._failed(error, bytes(data))
        return None

    def _ignore_upgrade(self, data: memoryview) -> memoryview:
        """Ignores the upgrade, as RFC 9110 §7.8 allows. httptools ends such a message at its head: a new parser reads
        the body."""
        if self.parser is not None:
            framing = [b": ".join(field) + b"\r\n" for field in self.fields if field[0] in FRAMING]
            self.parser = httptools.HttpRequestParser(self)
            self.is_replay = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")
            self.is_replay = False
        return data

    def _resume(self, data: memoryview) -> memoryview:
        if self.parser is not None:
            self.parser = httptools.HttpRequestParser(self)
        return data

    def _failed(self, error: httptools.HttpParserError, data: bytes) -> None:
        if self.parser is None:  # `stop` was called within this read
            return
        if isinstance(error, httptools.HttpParserCallbackError):
            raise error  # a defect in a method of this class
        if self.in_head and self.connection.exchange is None:
            given = _request_id(data.partition(b"\r\n\r\n")[0] + b"\r\n")
            self.fields += [(b"x-request-id", given[1])] if given else []
        self.refuse(self.refusal or Refusal(400, f"{error}."))

    def refuse(self, refusal: Refusal) -> None:
        """Stops, and makes the connection answer."""
        scope = self._scope(self.parser if self.url else None, "1.1")
        self.stop()
        self.connection.refuse(refusal, scope)

    def on_message_begin(self) -> None:
        if self.is_replay:
            return
        if self.parser is None:
            raise httptools.HttpParserError  # ends the parsing
        self.in_head = self.is_new_head = True
        self.url, self.fields, self.refusal = b"", [], None
        self.head_bytes = self.surplus = 0
        self.connection.head_began()

    def on_url(self, url: bytes) -> None:
        if self.is_replay:
            return
        self.url += url
        self.head_bytes += len(url)
        if self.head_bytes > limits.LINE_BYTES:
            self.refusal = Refusal(414, "The request target is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_replay:
            return
        size = len(name) + len(value) + 4
        self.head_bytes += size
        name = name.lower()
        if not self.in_head:  # a trailer; httptools refuses those that frame the body
            return
        if size > limits.FIELD_BYTES:
            self.refusal = Refusal(431, "A header field is too large.")
        elif len(self.fields) >= limits.FIELDS and not self._has_room(name):
            self.refusal = Refusal(431, "There are too many header fields.")
        elif UNDERSCORE not in name:  # dropped: CGI and WSGI read `a_b` as `a-b`
            self.fields.append((name, value.strip(b" \t")))

    def _has_room(self, name: bytes) -> bool:
        """Whether a field fits beyond FIELDS: a refusal must show the request's ID and the client's path too."""
        return len(self.fields) < limits.FIELDS + limits.FIELDS_OF_GATEWAYS and name.startswith(limits.GATEWAYS)

    def on_headers_complete(self) -> None:
        if self.parser is None or self.is_replay:
            return
        version = self.parser.get_http_version()
        refusal = self.refusal or self._head_refusal(version)
        if refusal is not None:
            self.refuse(refusal)
            return
        self.in_head, self.surplus = False, 0
        scope = self._scope(self.parser, version)
        if self.parser.should_upgrade() and self._asks_for_websocket(self.parser):
            self.is_websocket = True
            scope["extensions"] = WEBSOCKET
        self.connection.request_began(scope, keep_alive=self.parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        self.surplus -= 10 * len(body)  # a chunk of one byte has a frame of five
        self.connection.body_arrived(body)

    def on_message_complete(self) -> None:
        if self.parser is None or not self.parser.should_upgrade():
            self.connection.request_ended()

    def _asks_for_websocket(self, parser: httptools.HttpRequestParser) -> bool:
        """Whether frames follow if the answer is 101 (RFC 6455 §4.1). After another answer the connection is closed."""
        if parser.get_method() != b"GET" or parser.get_http_version() != "1.1":
            return False
        names = dict(self.fields)
        is_framed = b"content-length" in names or b"transfer-encoding" in names
        return not is_framed and names.get(b"upgrade", b"").lower() == b"websocket" and b"sec-websocket-key" in names

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
        if absolute := _http(self.url):  # RFC 9112 §3.2.2: its authority replaces Host
            self.url = b"/" + self.url[absolute.end() :].removeprefix(b"/")
            self.fields = [field for field in self.fields if field[0] != b"host"] + [(b"host", absolute[1])]
        if not self.url.startswith(b"/") or HASH in self.url:
            return Refusal(400, "The request target is not a path.")
        return None

    def _scope(self, parser: httptools.HttpRequestParser | None, version: str) -> "HTTPScope":
        """`parser`: one that has parsed the method, if there is one."""
        method, self.method = self.method or (parser.get_method() if parser else b"OTHER"), b""
        target = self.url if self.url.startswith(b"/") else b""
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
