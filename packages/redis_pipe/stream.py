"""One open connection to Redis: writes commands, gives each reply to the oldest command without one."""

import asyncio
from collections import deque
from time import monotonic
from typing import Protocol

import hiredis

from packages.redis_pipe.command import Command, Observe
from packages.redis_pipe.sweeper import NEVER
from users_site.repository.errors import Reason

INCOMPLETE = object()
CHUNK_BYTES = 256 * 1024  # how much is joined into one write before the transport may say that it has enough


class ErrorReply(Exception):
    """An error reply as parsed; its text is the server's and is not for users."""


class Owner(Protocol):
    """Who keeps the queue and decides what a failure means."""

    def error_received(self, stream: "Stream", command: Command, text: str, now: float) -> None: ...
    def flush(self) -> None: ...
    def stream_retired(self, stream: "Stream") -> None: ...
    def stream_lost(self, stream: "Stream", reason: Reason) -> None: ...


class Stream(asyncio.Protocol):
    """Takes over a transport that redis-py has opened, authenticated and set to its database."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        loop: asyncio.AbstractEventLoop,
        owner: Owner,
        observe: Observe | None,
    ) -> None:
        self._writer = writer  # kept: a StreamWriter that is collected closes its transport
        self._transport = writer.transport
        self._owner = owner
        self._observe = observe
        self._reader = hiredis.Reader(replyError=ErrorReply, notEnoughData=INCOMPLETE)
        self._lost = False
        self.closed = loop.create_future()  # done when the transport has let go of the socket
        self.sent: deque[Command] = deque()
        self.paused = False  # the transport's write buffer is above its high-water mark
        self.retiring = False  # no further writes; dropped when the last reply is there
        self._opened_at = self.head_since = monotonic()  # since when the oldest command has had the server to itself
        self._transport.set_protocol(self)

    def write(self, waiting: deque[Command]) -> None:
        """Move what waits into as few writes as the transport takes; whose caller gave up is not written."""
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
                    command = command.follower
            self._transport.write(b"".join(payloads))

    def data_received(self, data: bytes) -> None:
        """Resolve the commands whose replies are complete."""
        gets, sent, observe = self._reader.gets, self.sent, self._observe
        now = monotonic()
        try:
            self._reader.feed(data)
            while (reply := gets()) is not INCOMPLETE:
                if not sent:  # a reply that nobody asked for: whose is the next one?
                    self.drop(Reason.PROTOCOL)
                    return
                command = sent.popleft()
                self.head_since = now
                future = command.future
                if type(reply) is ErrorReply:
                    self._owner.error_received(self, command, str(reply), now)
                    continue
                if not future.done():
                    future.set_result(reply)
                elif not future.cancelled():
                    continue  # it timed out and was counted then
                if observe is not None:
                    observe(command.operation, "ok", now - command.started)
        except (hiredis.ProtocolError, MemoryError):  # not RESP, or a length nobody could hold
            self.drop(Reason.PROTOCOL)
            return
        if self.retiring:
            self.retire()

    def hung_at(self, timeout: float) -> float:
        """When the server must be taken for hung: its oldest command is out of time, and has had it to itself
        for `timeout` seconds. Never, if it owes no reply."""
        return max(self.head_since + timeout, self.sent[0].deadline) if self.sent else NEVER

    def age(self, now: float) -> float:
        """Seconds since the connection was opened."""
        return now - self._opened_at

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._owner.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(Reason.CLOSED)
        if not self.closed.done():
            self.closed.set_result(None)

    def retire(self) -> None:
        """Write nothing more, and tell the owner when the last reply is there."""
        self.retiring = True
        if not self.sent and not self._lost:
            self._owner.stream_retired(self)

    def drop(self, reason: Reason) -> None:
        """Close at once; the owner hears of it exactly once."""
        if not self._lost:
            self._lost = True
            self._transport.abort()
            self._owner.stream_lost(self, reason)
