"""One connection: an asyncio protocol that carries one exchange at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, cast

from ._answer import Answer
from ._body import send_body
from ._parser import AnswerParser
from .errors import BadAnswer, BodyTimeout, ConnectionReset, UpstreamError, UpstreamTimeout

# An answer is handed over whole up to here, beyond it as a stream.
WHOLE_BODY = 64 * 1024
# Up to here a copy is cheaper than a second write.
_ONE_WRITE = 16 * 1024


class Owner(Protocol):
    """Who counts connections and takes them back."""

    def released(self, connection: "Connection") -> None: ...
    def lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """Idle, or in an exchange: from `exchange()` to the answer's last byte.

    It goes back to its owner only when the answer was complete, with no byte beyond it, keep-alive was
    agreed and the request wholly sent; any other end of an exchange closes it.
    """

    __slots__ = (
        "_busy",
        "_deadline",
        "_drained",
        "_future",
        "_loop",
        "_parser",
        "_sender",
        "_timer",
        "_timer_at",
        "_transport",
        "closed",
        "expires_at",
        "idle_until",
        "netloc",
        "owner",
        "requests",
    )

    _transport: asyncio.Transport
    _future: asyncio.Future[Answer]

    def __init__(self, loop: asyncio.AbstractEventLoop, netloc: str, max_header_bytes: int) -> None:
        self._loop = loop
        self._parser = AnswerParser(max_header_bytes)
        self._busy = False
        self._sender: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._deadline = 0.0
        self.netloc = netloc
        self.owner: Owner | None = None
        self.closed = False
        self.requests = 0
        self.expires_at = self.idle_until = 0.0

    # ---- an exchange

    async def exchange(
        self,
        head: bytes,
        body: bytes | AsyncIterator[bytes],
        deadline: float,
        *,
        is_head: bool,
        length: int | None = None,
    ) -> Answer:
        """Send one request and wait for its answer until the loop's clock shows `deadline`."""
        self.requests += 1
        self._busy = True
        self._parser.reset(is_head=is_head)
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._future = future
        # One timer for the connection, not for each request: arming and cancelling takes 2 µs (measured).
        self._deadline = deadline
        if self._timer is None or deadline < self._timer_at:
            self._arm(deadline)
        if not isinstance(body, bytes):
            self._transport.write(head)
            self._sender = self._loop.create_task(send_body(self, body, length))
            self._sender.add_done_callback(self._sender_done)
        elif len(body) <= _ONE_WRITE:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        try:
            return await future
        except asyncio.CancelledError:
            self._forsake(future)
            raise

    def _forsake(self, future: asyncio.Future[Answer]) -> None:
        """The caller that waits for `future` is gone. The connection may be another's by now."""
        if self._busy and self._future is future:
            self.drop(ConnectionReset(f"{self.netloc}: the caller gave up", sent=True))

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if not self._busy:
            return
        if self._loop.time() < self._deadline:
            self._arm(self._deadline)
        elif self._sender is not None and self._drained is None:
            self.drop(BodyTimeout(f"{self.netloc}: the request's body did not come in time", sent=True))
        else:
            self.drop(UpstreamTimeout(f"{self.netloc}: no complete answer in time", sent=True))

    # ---- its ends

    def _finish(self) -> None:
        """The answer is complete: hand it over and give the connection back, if it is clean."""
        self._busy = False
        parser = self._parser
        future = self._future
        del self._future  # it holds the body
        if parser.stream is not None:
            parser.stream.end()
        elif not future.done():
            future.set_result(Answer(parser.status, parser.headers, parser.take_body()))
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.cancel()  # answered before the request was sent
        if sender is not None or not parser.keep_alive or self._transport.get_write_buffer_size():
            self.abort()
        elif self.owner is not None:
            if parser.stream is not None:
                self._transport.resume_reading()
            self.owner.released(self)

    def drop(self, error: BaseException) -> None:
        """Close the connection; the exchange, if one is on, ends with `error`."""
        self.abort()
        if not self._busy:
            return
        self._busy = False
        if self._sender is not None:
            self._sender.cancel()
            self._sender = None
        if self._parser.stream is not None:
            self._parser.stream.fail(error)
        elif not self._future.done():
            self._future.set_exception(error)

    def abort(self) -> None:
        """Close without a flush, which could wait for a peer that does not read."""
        self.closed = True
        self._transport.abort()

    def is_usable(self) -> bool:
        return not self.closed and not self._transport.is_closing()

    def _sender_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if task is not self._sender:
            return  # the exchange ended before its body did
        self._sender = None
        if task.cancelled():
            error = ConnectionReset(f"{self.netloc}: the request body was given up", sent=True)
        if error is not None:
            self.drop(error)

    # ---- back-pressure, both ways

    async def send(self, data: bytes) -> None:
        self._transport.write(data)
        if self._drained is not None:
            await self._drained

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def pause(self) -> None:
        self._transport.pause_reading()

    def resume(self) -> None:
        self._transport.resume_reading()

    # ---- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.abort()  # bytes that answer nothing must not meet the next request
            return
        parser = self._parser
        try:
            parser.feed(data)
        except BadAnswer as error:
            self.drop(BadAnswer(f"{self.netloc}: {error}"))
            return
        if parser.complete:
            self._finish()
        elif parser.body_size > WHOLE_BODY and parser.stream is None:
            stream = parser.open_stream(self._loop, self)
            if not self._future.done():
                self._future.set_result(Answer(parser.status, parser.headers, None, stream))

    def eof_received(self) -> None:
        self.closed = True
        if self._busy and self._parser.until_close:
            self._finish()
        else:
            self.drop(self._ended_early(None))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        self.drop(self._ended_early(exc))
        if self.owner is not None:
            self.owner.lost(self)

    def _ended_early(self, exc: Exception | None) -> UpstreamError:
        how = f"{self.netloc}: {exc or 'closed by the other side'}"
        if self._busy and self._parser.started:
            return BadAnswer(f"{how} within the answer")
        return ConnectionReset(how, sent=True, reused=self.requests > 1)
