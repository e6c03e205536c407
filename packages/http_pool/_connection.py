"""One connection: an asyncio protocol that carries one exchange at a time."""

import asyncio
from collections.abc import Callable
from typing import cast

from ._answer import Answer
from ._errors import BadAnswer, BodyTimeout, ConnectionReset, UpstreamError, UpstreamTimeout
from ._parser import AnswerParser
from ._request import Outgoing, send_body

# A larger body becomes a stream.
WHOLE_BODY = 64 * 1024


class Connection(asyncio.Protocol):
    """Idle, or in an exchange: from `exchange()` to the answer's last byte.

    `released` is called when the answer was complete with no byte beyond it, keep-alive was agreed and the
    request completely sent; any other end of an exchange closes the connection, and `lost` is called.
    """

    _transport: asyncio.Transport
    _future: asyncio.Future[Answer]

    def __init__(
        self, netloc: str, released: Callable[["Connection"], None], lost: Callable[["Connection"], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._released, self._lost = released, lost
        self._parser = AnswerParser()
        self._busy = False
        self._sender: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._deadline = self._idle = 0.0
        self.netloc = netloc
        self.owned = False  # without an owner neither callback is called
        self.closed = False
        self.requests = 0
        self.expires_at = self.idle_until = 0.0

    # ---- an exchange

    async def exchange(self, request: Outgoing, head: bytes, deadline: float) -> Answer:
        """Send one request and return its answer; `deadline` is a time of the loop's clock."""
        self.requests += 1
        self._busy, self._idle, body = True, request.idle, request.body
        self._parser.reset(is_head=request.method == "HEAD", upgrades=request.upgrades)
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._future = future
        # One timer per connection, not per request: arming and cancelling takes 2 µs.
        self._deadline = deadline
        if self._timer is None or deadline < self._timer_at:
            self._arm(deadline)
        if not isinstance(body, bytes):
            self._transport.write(head)
            self._sender = self._loop.create_task(send_body(self._send, body, request.length))
            self._sender.add_done_callback(self._sender_done)
        else:
            self._transport.write(head + body)
        try:
            return await future
        except asyncio.CancelledError:
            if self._busy and self._future is future:  # otherwise the connection already serves another request
                self.drop(ConnectionReset(f"{self.netloc}: the caller gave up", sent=True))
            raise

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
            self.drop(BodyTimeout(f"{self.netloc}: the request's body did not arrive in time", sent=True))
        else:
            self.drop(UpstreamTimeout(f"{self.netloc}: no complete answer in time", sent=True))

    # ---- its ends

    def _finish(self) -> None:
        """The answer is complete: return it, and release the connection if it is clean."""
        self._busy = False
        parser = self._parser
        future = self._future
        del self._future  # it contains the body
        if parser.stream is not None:
            parser.stream.end()
        elif not future.done():
            future.set_result(Answer(parser.status, parser.headers, parser.take_body()))
        sender, self._sender = self._sender, None
        # A sender that has ended in this turn of the loop has not reported it yet.
        is_sent = sender is None or (sender.done() and not sender.cancelled() and sender.exception() is None)
        if sender is not None:
            sender.cancel()
        if not is_sent or not parser.keep_alive or self._transport.get_write_buffer_size():
            self.abort()
        elif self.owned:
            if parser.stream is not None:
                self._transport.resume_reading()
            self._released(self)

    def drop(self, error: BaseException) -> None:
        """Close the connection; an exchange in progress ends with `error`."""
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
        """Close without a flush: that would wait for a peer that does not read."""
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
            error = ConnectionReset(f"{self.netloc}: the request body was cancelled", sent=True)
        if error is not None:
            self.drop(error)

    # ---- back-pressure of the request's body

    async def _send(self, data: bytes) -> None:
        if self.closed:
            raise ConnectionReset(f"{self.netloc}: closed while it was sent to", sent=True)
        self._transport.write(data)
        if self._idle and self._parser.status:
            self._deadline = self._loop.time() + self._idle
        if self._drained is not None:
            await self._drained

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # ---- callbacks of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.abort()  # unsolicited bytes must not become the answer to the next request
            return
        parser = self._parser
        try:
            parser.feed(data)
        except BadAnswer as error:
            self.drop(BadAnswer(f"{self.netloc}: {error}"))
            return
        if parser.complete:
            self._finish()
            return
        if self._idle and parser.status:
            self._deadline = self._loop.time() + self._idle
        if parser.stream is None and (parser.body_size > WHOLE_BODY or (self._idle and parser.status)):
            if self._deadline < self._timer_at:
                self._arm(self._deadline)
            stream = parser.open_stream(self._transport, self.drop)
            if not self._future.done():
                answer = Answer(parser.status, parser.headers, None, stream)
                answer.send = self._send
                self._future.set_result(answer)

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
        if self.owned:
            self._lost(self)

    def _ended_early(self, exc: Exception | None) -> UpstreamError:
        how = f"{self.netloc}: {exc or 'closed by the other side'}"
        if self._busy and self._parser.started:
            return BadAnswer(f"{how} within the answer")
        return ConnectionReset(how, sent=True, reused=self.requests > 1)
