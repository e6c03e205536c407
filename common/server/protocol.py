"""One client connection as gunicorn's `asgi` worker serves it: with our parser and our writer of heads, and our problems for
what the parser refuses."""

import math
import time
from collections.abc import Sequence
from typing import Any

from gunicorn.asgi import protocol
from gunicorn.asgi.protocol import ASGIProtocol

from common.server import drain
from common.server.field_parser import FieldParser, scan

LINGER_SECONDS = 2.0
"""How long a client that was refused may go on sending before it is cut off."""

# gunicorn's protocol finds its parser and its check of answers by these names; there is no setting for them.
protocol.PythonProtocol = FieldParser
protocol._scan_response_headers = scan


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """gunicorn's, known to the worker."""

    worker: Any
    _closed: bool
    _callback_parser: Any
    _is_refused = False
    stalled_at = math.inf

    def connection_made(self, transport: Any) -> None:
        """Known to the worker, which closes it when idle at shutdown, or when its head takes too long."""
        self.opened = time.monotonic()
        self.worker.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgotten by the worker."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        self.stalled_at = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self.stalled_at = math.inf
        super().resume_writing()

    @property
    def is_idle(self) -> bool:
        """No request is being served on it."""
        return bool(self._awaiting_request)

    def close_if_idle(self) -> None:
        """Closes the connection unless a request is being served on it."""
        if self.is_idle:
            self._keepalive_timeout()

    @property
    def _is_body_unread(self) -> bool:
        return self._body_receiver is not None and not self._body_receiver._complete

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        # gunicorn closes after an answer that came before its request's end, but does not say so.
        return drain.is_on() or self._is_body_unread or super()._will_close(request, response_requires_close)

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        # gunicorn gives each request a task of its own, for applications that work on after their answer. Ours does
        # not, and the task costs 10 µs.
        keepalive: bool = await self._handle_http_request(request, sockname, peername)
        return keepalive

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Never: the request is served as if it had no `Upgrade` (RFC 9110 §7.8)."""
        return False

    def _close_transport(self) -> None:
        """Closes at once, or in stages while the client may still send (RFC 9112 §9.6): a reset would destroy the
        answer before it is read."""
        if self._closed or not (self._is_refused or self._is_body_unread):
            super()._close_transport()
            return
        self._closed = True
        self._callback_parser = None  # what comes from now on is thrown away
        if self._body_receiver is not None:
            self._body_receiver.signal_disconnect()
        self._resume_reading()
        self.transport.write_eof()
        self.worker.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _send_response_start(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], request: Any, close: bool = False
    ) -> None:
        """gunicorn's for fields that are bytes and whose names are in lower case: one join, not a loop in Python."""
        line = protocol._get_cached_status_line(request.version, status)
        head = line + b"\r\n".join([*map(b": ".join, headers), b""])
        if b"\r\nserver: " not in head:
            head += protocol._CACHED_SERVER_HEADER
        if b"\r\ndate: " not in head:
            head += protocol._get_cached_date_header()
        if close and b"\r\nconnection: " not in head:
            head += b"Connection: close\r\n"
        self._response_buffer = head + b"\r\n"

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """What the parser refuses is a problem too."""
        from common.server import refusal  # stands on Django

        if status == 501:
            # Of a transfer coding that is not known. RFC 9112 §6.1 would have it, but whoever sends one would eat up the
            # error budget: it is the client's fault, like every other coding that is not `chunked` (asgi.py).
            status = 400
        peer = self.transport.get_extra_info("peername")
        refused = refusal.read(self._callback_parser, peer[0] if peer else None)
        head, body = refusal.answer(refused, status, self._get_reason_phrase(status))
        self._safe_write(head + body)
        self._is_refused = True
        is_served = self._body_receiver is not None and self._body_receiver._waiter is not None
        if status != 500 and not is_served:  # else the application records the request: it failed, or reads a bad body
            refusal.record(refused, status, len(body), message)
