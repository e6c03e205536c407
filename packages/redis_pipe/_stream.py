"""One open connection to Redis: writes commands, gives each reply to the oldest command without one."""

import asyncio
from collections import deque
from time import monotonic
from typing import Any, Protocol, cast

import hiredis

from ._command import Command, Observe, Word
from ._sweeper import NEVER
from .errors import ErrorReply, Reason

INCOMPLETE = object()
CHUNK_BYTES = 256 * 1024  # joined into one write, before the transport's flow control is asked again


class Owner(Protocol):
    """Keeps the queue and handles failures, once the set-up is done."""

    def error_received(self, stream: "Stream", command: Command, text: str) -> None: ...
    def flush(self) -> None: ...
    def stream_retired(self, stream: "Stream") -> None: ...
    def stream_lost(self, stream: "Stream", reason: Reason) -> None: ...


class Stream(asyncio.Protocol):
    """Without an owner, for set-up and single queries, a command's future raises ErrorReply or OSError."""

    def __init__(self) -> None:
        self._owner: Owner | None = None
        self._observe: Observe | None = None
        self._reader = hiredis.Reader(replyError=ErrorReply, notEnoughData=INCOMPLETE)
        self._early: ErrorReply | None = None  # sent instead of a welcome: too many clients
        self.is_lost = False
        self.closed = asyncio.get_running_loop().create_future()  # done when the transport has closed the socket
        self.sent: deque[Command] = deque()
        self.paused = False  # the transport's write buffer is above its high-water mark
        self.retiring = False  # no further writes; dropped after the last reply
        self._opened_at = self.head_since = monotonic()  # when the oldest command became the next to be answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def serve(self, owner: Owner, observe: Observe | None) -> None:
        """Let the owner write and handle failures from now on."""
        self._owner, self._observe = owner, observe

    def ask(self, *words: Word) -> asyncio.Future[Any]:
        """A command of the set-up, written immediately."""
        future = self.closed.get_loop().create_future()
        if self._early is not None:
            future.set_exception(self._early)
            return future
        if self.is_lost:
            future.set_exception(ConnectionResetError())
            return future
        self.sent.append(Command("setup", words, None, future, self._opened_at, NEVER))
        self._transport.write(self.sent[-1].payload)
        return future

    def write(self, waiting: deque[Command]) -> None:
        """Move the queue into as few writes as possible; drop commands of callers that gave up."""
        if not self.sent:
            self.head_since = monotonic()
        while waiting and not self.paused:
            payloads: list[bytes] = []
            size = 0
            while waiting and size < CHUNK_BYTES:
                command: Command | None = waiting.popleft()
                if command is not None and command.future.done():
                    continue
                while command is not None:
                    payloads.append(command.payload)
                    size += len(command.payload)
                    self.sent.append(command)
                    command.follower, command = None, command.follower
            self._transport.write(b"".join(payloads))

    def data_received(self, data: bytes) -> None:
        """Resolve the commands whose replies are complete."""
        gets, sent, observe = self._reader.gets, self.sent, self._observe
        now = monotonic()
        try:
            self._reader.feed(data)
            while (reply := gets()) is not INCOMPLETE:
                if not sent:  # from here on no reply could be matched to its command
                    if self._owner is None and isinstance(reply, ErrorReply):
                        self._early = reply
                    self.drop(Reason.PROTOCOL)
                    return
                command = sent.popleft()
                self.head_since = now
                future = command.future
                if type(reply) is ErrorReply:
                    self._error_received(command, reply)
                    continue
                if not future.done():
                    future.set_result(reply)
                elif not future.cancelled():
                    continue  # it timed out and was counted then
                if observe is not None:
                    observe((command.operation, "ok"), now - command.started)
        except (hiredis.ProtocolError, MemoryError):  # not RESP, or an absurd length
            self.drop(Reason.PROTOCOL)
            return
        if self.retiring:
            self.retire()

    def _error_received(self, command: Command, reply: ErrorReply) -> None:
        if self._owner is not None:
            self._owner.error_received(self, command, str(reply))
        elif not command.future.done():
            command.future.set_exception(reply)

    def hung_at(self, timeout: float) -> float:
        """The time at which the server counts as hung: its oldest command is past its deadline, and has been the next
        to be answered for `timeout` seconds. NEVER, if no reply is due."""
        return max(self.head_since + timeout, self.sent[0].deadline) if self.sent else NEVER

    @property
    def age(self) -> float:
        """Seconds since the connection was opened."""
        return monotonic() - self._opened_at

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self._owner is not None:
            self._owner.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(Reason.CLOSED)
        if not self.closed.done():
            self.closed.set_result(None)

    def retire(self) -> None:
        """Stop writing, and report to the owner after the last reply."""
        self.retiring = True
        if not self.sent and not self.is_lost and self._owner is not None:
            self._owner.stream_retired(self)

    def drop(self, reason: Reason) -> None:
        """Close immediately; report it exactly once."""
        if self.is_lost:
            return
        self.is_lost = True
        self._transport.abort()
        if self._owner is not None:
            self._owner.stream_lost(self, reason)
        else:
            for command in self.sent:
                if not command.future.done():
                    command.future.set_exception(ConnectionResetError())
            self.sent.clear()
