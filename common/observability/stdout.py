"""Writes log lines to stdout without blocking the event loop.

A line is written at once: one in a buffer is lost when the process dies. When the pipe is full, one line in `PAUSE_SECONDS`
waits at most `PATIENCE_MS` for room; the others are dropped and counted (`log_lines_dropped_total`), and their number is logged
when the reader continues. A closed pipe or a full disk loses lines the same way. No request fails for them.
"""

import fcntl
import os
import select
import struct
import sys
import termios
import threading
import time

PATIENCE_MS, PAUSE_SECONDS = 20, 1.0
"""The wait of a line without room, and how long the following lines do not wait: a slow reader must not stop the event loop."""

NOTICE = b'{"level":"warning","message":"log lines dropped","logger":"stdout","dropped":%d}\n'


class Stdout:
    def __init__(self) -> None:
        self.dropped = self._unreported = 0
        self._next_wait = 0.0
        self._lock = threading.RLock()  # the exporter of traces logs from its own thread
        self._poll = select.poll()
        self._poll.register(1, select.POLLOUT)

    def write(self, line: bytes) -> None:
        """Writes one line with its newline, or drops it."""
        with self._lock:
            if self._unreported:
                line = NOTICE % self._unreported + line
            if self._has_room(len(line)) and self._is_written(line):
                self._unreported = 0
            else:
                self.dropped += 1
                self._unreported += 1

    def take_dropped(self) -> int:
        """The lines dropped since the last call."""
        with self._lock:
            taken, self.dropped = self.dropped, 0
        return taken

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
        # A pipe is writable when it has room for PIPE_BUF bytes; a longer line needs the count.
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
