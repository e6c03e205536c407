"""HTTP/1.1 for uvicorn, as `uvicorn.Config(http=Protocol)`. Why not uvicorn's class: docs/adr/0008-gunicorn-and-uvicorn.md."""

import asyncio
import logging
import math
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from common.server import limits
from common.server.exchange import Exchange
from common.server.reader import Reader
from common.server.refusal import Refusal

if TYPE_CHECKING:
    from asgiref.typing import HTTPScope
    from uvicorn import Config
    from uvicorn.server import ServerState

PROBE_SECONDS = 0.25
UNREAD_SECONDS = 0.05
"""At shutdown, the wait for requests that have arrived but are not read. uvicorn waits 0.1 s before it counts those in
flight."""

logger = logging.getLogger(__name__)

_buffer = memoryview(bytearray(65_536))  # one buffer for all connections: each read is parsed before the next


class Protocol(asyncio.BufferedProtocol):
    """One client connection. It serves one request (`exchange`); pipelined requests wait in `pipeline`."""

    held = 0
    """Bytes of incomplete heads and unread bodies of all connections; `holds`: of this connection."""

    def __init__(self, config: "Config", server_state: "ServerState", **_: Any) -> None:
        self.app: Any = config.loaded_app
        self.idle_seconds = config.timeout_keep_alive
        self.server_state = server_state
        self.connections = cast("set[Protocol]", server_state.connections)
        self.loop = asyncio.get_running_loop()
        self.reader = Reader(self)
        self.exchange: Exchange | None = None
        self.incoming: Exchange | None = None  # its body is still being read
        self.pipeline: deque[Exchange] = deque()
        self.task: asyncio.Task[None] | None = None
        self.writable: asyncio.Future[None] | None = None  # while the client does not read
        self.deadline, self.stalled_at = time.monotonic() + limits.HEAD_SECONDS, math.inf
        self.is_paused = self.is_half_closed = False
        self.holds = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.client, self.server = map(self._address, ("peername", "sockname"))
        if len(self.connections) >= limits.CONNECTIONS:
            open_ = (each for each in self.connections if not each.transport.is_closing())
            next((each for each in open_ if each.exchange is None), self).transport.abort()
        self.connections.add(self)

    def _address(self, name: str) -> tuple[str, int] | None:
        address = self.transport.get_extra_info(name)
        return address[:2] if isinstance(address, tuple) else None

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self.reader.stop()
        self.pipeline.clear()
        self._hold(0)
        self.resume_writing()
        if self.task is not None and self.exchange is not None and not self.exchange.is_answered:
            self.loop.call_soon(self.task.cancel)  # not at once: a task cancelled before its first step logs nothing

    def get_buffer(self, sizehint: int) -> memoryview:
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.reader.feed(_buffer[:nbytes])
        if self.exchange is None or self.exchange.body or self.pipeline or self.holds:
            self.count_held()

    def count_held(self) -> None:
        """Updates the count after input has arrived or was read."""
        head = self.reader.surplus if self.reader.in_head else 0
        self._hold(max(0, head) + sum(len(each.body) for each in (self.exchange, *self.pipeline) if each))

    def _hold(self, size: int) -> None:
        more, self.holds = size - self.holds, size
        Protocol.held += more
        if more > 0 and Protocol.held > limits.HELD_BYTES and (self.reader.in_head or self.incoming is not None):
            self.reader.refuse(Refusal(503, "The server holds too many incomplete requests."))

    def eof_received(self) -> bool:
        """A client that closed its sending side still gets the answers to its complete requests, except streams."""
        self.is_half_closed = True
        if self.exchange is None or self.incoming is not None:
            self.transport.abort()
            return False
        self.exchange.end()  # the pipeline is empty: otherwise the connection would not be read
        self.loop.call_later(PROBE_SECONDS, self._probe, self.exchange)
        return True

    def _probe(self, exchange: Exchange) -> None:
        """Aborts if the client has disconnected: then a 100 is answered with a reset. Clients must accept a 100 (RFC
        9110 §15.2)."""
        if exchange is not self.exchange or exchange.is_started or self.transport.is_closing():
            return
        if self.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abort()
        elif exchange.scope["http_version"] == "1.1":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.loop.call_later(PROBE_SECONDS, self._probe, exchange)

    def write(self, data: bytes) -> None:
        """Writes nothing if the client has disconnected: the request will be cancelled."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def pause_writing(self) -> None:
        self.stalled_at = time.monotonic() + limits.STALLED_SECONDS
        self.writable = self.loop.create_future()

    def resume_writing(self) -> None:
        self.stalled_at = math.inf
        if self.writable is not None and not self.writable.done():
            self.writable.set_result(None)
        self.writable = None

    def head_began(self) -> None:
        """Called by the reader, like the next three."""
        if self.exchange is None:
            self.deadline = time.monotonic() + limits.HEAD_SECONDS

    def request_began(self, scope: "HTTPScope", *, keep_alive: bool) -> None:
        self.incoming = Exchange(self, scope, keep_alive=keep_alive)
        self.deadline = time.monotonic() + limits.BODY_SECONDS
        if self.exchange is None:
            self._serve(self.incoming)
            return
        self.pipeline.append(self.incoming)
        self._pause_reading()
        if len(self.pipeline) > limits.PIPELINED:
            self.reader.refuse(Refusal(400, "There are too many pipelined requests."))

    def body_arrived(self, body: bytes) -> None:
        if self.incoming is None or self.incoming.is_answered:
            return
        self.deadline += len(body) / limits.BODY_RATE
        self.incoming.body += body
        self.incoming.wake()
        if len(self.incoming.body) > limits.UNREAD_BODY_BYTES:
            self._pause_reading()

    def request_ended(self) -> None:
        if self.incoming is None:
            return
        exchange, self.incoming = self.incoming, None
        self.deadline = math.inf
        exchange.more_body = False
        exchange.wake()
        if not exchange.keep_alive:
            self.reader.stop()

    def refuse(self, refusal: Refusal, scope: "HTTPScope") -> None:
        """Lets the application answer, so a refusal is a problem with an access line and metrics. `scope` has the
        parsed part of a refused head; for a refused body, the application already has the scope."""
        exchange, self.incoming = self.incoming, None
        if exchange is not None:
            exchange.refuse(refusal)
            return
        exchange = Exchange(self, scope, keep_alive=False)
        exchange.refuse(refusal)
        if self.exchange is None:
            self._serve(exchange)
        else:
            self.pipeline.append(exchange)

    def _serve(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.task = self.loop.create_task(self._run(exchange))
        self.server_state.tasks.add(self.task)

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self.app(exchange.scope, exchange.receive, exchange.send)
        except Exception:
            logger.exception("the application failed")
        finally:
            self.server_state.tasks.discard(cast("asyncio.Task[None]", self.task))
            self.exchange = self.task = None
            self._hold(0)
            if not self.transport.is_closing():
                self._next(exchange)

    def _next(self, exchange: Exchange) -> None:
        """After an exchange: closes the connection, serves the next request, or waits for one."""
        if not exchange.is_answered:
            self.transport.abort()
        elif not exchange.keep_alive and self.is_half_closed:
            self.transport.close()
        elif not exchange.keep_alive:
            self.reader.stop()
            self.incoming = None
            self.deadline = math.inf
            self.resume_reading()
            self.transport.write_eof()
            # The reader must not keep the protocol: its buffers must not outlive the connection.
            self.loop.call_later(
                limits.LINGER_SECONDS, _linger, self.loop, self.transport, time.monotonic() + limits.STALLED_SECONDS
            )
        elif self.pipeline:
            self._serve(self.pipeline.popleft())
            self.resume_reading()
        else:
            seconds = limits.HEAD_SECONDS if self.reader.in_head else self.idle_seconds
            self.deadline = time.monotonic() + seconds
            self.resume_reading()

    def _pause_reading(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.is_paused and not self.pipeline and not self.transport.is_closing():
            self.is_paused = False
            self.deadline = max(self.deadline, time.monotonic() + limits.BODY_SECONDS)
            self.transport.resume_reading()

    def expire(self, now: float) -> None:
        """Aborts if the client sends or reads too slowly, or was idle for too long."""
        if now > self.stalled_at or (now > self.deadline and not self.is_paused):
            self.transport.abort()

    def shutdown(self) -> None:
        """Called by uvicorn after it has closed its listeners."""
        self.pipeline.clear()
        if self.exchange is None:
            self.loop.call_later(UNREAD_SECONDS, self._close_if_idle)
        else:
            self.exchange.end()

    def _close_if_idle(self) -> None:
        if self.exchange is None:
            self.transport.close()


def _linger(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, until: float) -> None:
    """Aborts, but not before a deadline while the client still reads the end of the answer."""
    if transport.get_write_buffer_size() and time.monotonic() < until:
        loop.call_later(limits.LINGER_SECONDS, _linger, loop, transport, until)
    else:
        transport.abort()
