"""Where log lines go. A line is written at once: one that waits in a buffer is lost when the process dies.

Who reads our stdout may stall, and a pipe that is full would then hold the event loop, and with it every request, for ever.
So a line is written only where the pipe has room for it: it waits for that at most `PATIENCE_MS`, and while the reader goes on
stalling the lines are dropped, counted (`log_lines_dropped_total`), and their number is said once there is room again.
"""

import fcntl
import select
import struct
import sys
import termios

PATIENCE_MS = 20
"""How long the first line that finds no room waits; the following ones do not wait at all."""


class Stdout:
    """This process's stdout."""

    def __init__(self) -> None:
        self.dropped = 0
        self._unsaid = 0
        self._poll = select.poll()
        self._poll.register(1, select.POLLOUT)

    def write(self, line: bytes) -> None:
        """Writes one line with its newline, or drops it. Raises OSError where stdout is closed."""
        if not self._has_room(len(line)):
            self.dropped += 1
            self._unsaid += 1
            return
        if self._unsaid:
            said, self._unsaid = self._unsaid, 0
            line = b'{"level":"warning","message":"log lines dropped","logger":"stdout","dropped":%d}\n' % said + line
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

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
