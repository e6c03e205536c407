"""Work in a process of its own, which ends with everything that it started."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress

ERROR = 70

progress = os.fdopen(os.dup(2), "w", buffering=1)  # pytest captures stderr later


class Forked:
    """`code`: the exit code once it has ended; None if it took longer than `seconds`."""

    def __init__(self, work: Callable[[], int], seconds: float) -> None:
        self.code: int | None = None
        self._until = time.monotonic() + seconds
        self._pid = os.fork()
        if self._pid == 0:
            os.setpgid(0, 0)
            try:
                os._exit(work())
            except BaseException:
                traceback.print_exc(file=progress)
                os._exit(ERROR)

    def has_ended(self) -> bool:
        ended, status = os.waitpid(self._pid, os.WNOHANG)
        if ended:
            self.code = os.waitstatus_to_exitcode(status)
        elif time.monotonic() < self._until:
            return False
        self.end(is_running=not ended)
        return True

    def end(self, *, is_running: bool) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        if is_running:
            os.waitpid(self._pid, 0)

    def wait(self) -> int | None:
        while not self.has_ended():
            time.sleep(0.01)
        return self.code
