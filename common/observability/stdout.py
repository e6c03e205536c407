"""Writes log lines to stdout without blocking the event loop.

A line is written immediately: a buffered one would be lost if the process dies. When the pipe is full, one line in
`PAUSE_SECONDS` waits at most `PATIENCE_MS` for room; the others are dropped and counted (`log_lines_dropped_total`),
and their number is logged when the reader continues. A closed pipe or a full disk loses lines the same way. No request
fails for them.
"""

import fcntl
import os
import select
import struct
import sys
import termios
import threading
import time
from datetime import UTC, datetime
from typing import Any

import orjson

PATIENCE_MS, PAUSE_SECONDS = 20, 1.0
"""How long a line waits for space, and how long the following ones then do not wait: a slow reader must not stop the
event loop."""


class Clock:
    """RFC 3339 in UTC with microseconds; the part up to the seconds is made once a second."""

    def __init__(self) -> None:
        self._made = 0, ""  # replaced as a whole: the trace exporter logs from its own thread

    def text(self, seconds: float) -> str:
        whole = int(seconds)
        second, prefix = self._made
        if whole != second:
            prefix = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
            self._made = whole, prefix
        return f"{prefix}{int((seconds - whole) * 1_000_000):06d}Z"


clock = Clock()


class Stdout:
    """`constants`: fields of every line."""

    def __init__(self) -> None:
        self.constants: dict[str, str] = {}
        self.dropped = self._unreported = 0
        self._next_wait = 0.0
        self._lock = threading.RLock()  # the trace exporter logs from its own thread
        self._poll = select.poll()
        self._poll.register(1, select.POLLOUT)

    def write(self, line: bytes) -> None:
        """Writes one line with its newline, or drops it."""
        with self._lock:
            if self._unreported:
                line = self._notice() + line
            if self._has_room(len(line)) and self._is_written(line):
                self._unreported = 0
            else:
                self.dropped += 1
                self._unreported += 1

    def take_dropped(self) -> int:
        """The number of lines dropped since the last call."""
        with self._lock:
            taken, self.dropped = self.dropped, 0
        return taken

    def _notice(self) -> bytes:
        entry: dict[str, Any] = {"timestamp": clock.text(time.time()), "level": "warning", **self.constants}
        entry |= {"message": "log lines dropped", "logger": "stdout", "dropped": self._unreported}
        return orjson.dumps(entry) + b"\n"

    @staticmethod
    def _is_written(data: bytes) -> bool:
        # Not through sys.stdout, which keeps what it cannot write and fails again at exit.
        try:
            while data:
                data = data[os.write(1, data) :]
        except OSError:
            return False
        return True

    def _has_room(self, length: int) -> bool:
        # A pipe is writable if it has space for PIPE_BUF bytes; for a longer line, ask how much it has.
        if not self._poll.poll(0) and not self._waits():
            return False
        return length <= select.PIPE_BUF or length <= self._room()

    def _waits(self) -> bool:
        now = time.monotonic()
        if now < self._next_wait:
            return False
        self._next_wait = now + PAUSE_SECONDS
        return bool(self._poll.poll(PATIENCE_MS))

    def _room(self) -> int:
        try:
            size = fcntl.fcntl(1, fcntl.F_GETPIPE_SZ)
            unread: int = struct.unpack("i", fcntl.ioctl(1, termios.FIONREAD, b"\0" * 4))[0]
        except (OSError, AttributeError):
            return sys.maxsize  # no pipe: a file or a terminal
        return size - unread
