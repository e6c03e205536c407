"""Our standard output, written by a thread of its own."""

import contextlib
import os
import queue
import sys
import threading


class Console:
    """A text stream that never blocks its writer.

    Who started us may have a pipe as our stdout and not read it. Once full (64 KiB: a few hundred access
    lines) a plain print would block for ever, and with it the answer to SIGTERM. Lines beyond the queue are
    dropped.
    """

    def __init__(self, lines: int = 10_000) -> None:
        self._queue: queue.Queue[str | None] = queue.Queue(lines)
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Shows `text`, or drops it while the reader is too far behind."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(text)

    def flush(self) -> None:
        """For `print(flush=True)`: the thread writes at once anyway."""

    def isatty(self) -> bool:
        """Whether colours make sense."""
        return sys.stdout.isatty()

    def close(self, seconds: float = 1.0) -> None:
        """Waits up to `seconds` until everything is shown."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
            self._thread.join(seconds)

    def _write(self) -> None:
        """os.write, not print: a thread stuck in print holds the stream's lock, and Python could not exit."""
        while (text := self._queue.get()) is not None:
            data = text.encode()
            with contextlib.suppress(OSError):  # the reader is gone: the services need not be
                while data:
                    data = data[os.write(sys.stdout.fileno(), data) :]
