"""Where log lines go. A line is written at once: one that waits in a buffer is lost when the process dies.

Who reads our stdout may stall, and a pipe that is full would then hold the event loop, and with it every request, for ever.
So a line is written only where the pipe has room for it: it waits for that at most `PATIENCE_MS`, and while the reader goes on
stalling the lines are dropped, counted (`log_lines_dropped_total`), and their number is said once there is room again. A
reader that is gone, or a disk that is full, loses its lines the same way: no request fails for them.
"""

import fcntl
import os
import select
import struct
import sys
import termios
import threading

PATIENCE_MS = 20
"""How long the first line that finds no room waits; the following ones do not wait at all."""

SAID = b'{"level":"warning","message":"log lines dropped","logger":"stdout","dropped":%d}\n'


class Stdout:
    """This process's stdout."""

    def __init__(self) -> None:
        self.dropped = 0
        self._unsaid = 0
        self._lock = threading.RLock()  # the exporter of traces logs from its thread, and a poll object serves one
        self._poll = select.poll()
        self._poll.register(1, select.POLLOUT)

    def write(self, line: bytes) -> None:
        """Writes one line with its newline, or drops it."""
        with self._lock:
            if self._unsaid:
                line = SAID % self._unsaid + line
            if self._has_room(len(line)) and self._is_written(line):
                self._unsaid = 0
            else:
                self.dropped += 1
                self._unsaid += 1

    @staticmethod
    def _is_written(data: bytes) -> bool:
        # Not through sys.stdout: what it cannot write it keeps, and fails with again at exit.
        try:
            while data:
                data = data[os.write(1, data) :]
        except OSError:
            return False
        return True

    def _has_room(self, length: int) -> bool:
        # A pipe is writable when it has room for PIPE_BUF bytes; a longer line needs the count.
        if not self._poll.poll(0 if self._unsaid else PATIENCE_MS):
            return False
        return length <= select.PIPE_BUF or length <= self._room()

    def _room(self) -> int:
        try:
            size = fcntl.fcntl(1, fcntl.F_GETPIPE_SZ)
            unread: int = struct.unpack("i", fcntl.ioctl(1, termios.FIONREAD, b"\0" * 4))[0]
        except (OSError, AttributeError):
            return sys.maxsize  # no pipe: a file or a terminal
        return size - unread
