"""Starts and stops the processes of `make run`.

Each has its own session, so that a terminal's Ctrl-C reaches only this process: services must drain before the store
stops. They write directly to our standard output; each log line names its service.
"""

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

_TICK_SECONDS = 0.1
_KILL_SECONDS = 5.0


class StopRequestedError(Exception):
    """SIGINT, SIGTERM, SIGHUP or SIGQUIT arrived, or the terminal was closed."""


class ProcessEndedError(Exception):
    """A process ended that should keep running."""

    def __init__(self, name: str, returncode: int) -> None:
        how = f"exit code {returncode}" if returncode >= 0 else signal.Signals(-returncode).name
        super().__init__(f"{name} ended ({how}); everything is stopped")


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    stop_last: bool


class Supervisor:
    """Runs processes side by side; leaving its `with` block stops them all, those marked `stop_last` last."""

    def __init__(self, stop_seconds: float) -> None:
        """`stop_seconds`: the time from SIGTERM to SIGKILL."""
        self._stop_seconds = stop_seconds
        self._children: list[_Child] = []
        self._stop_requested = False
        self._has_terminal = False

    def __enter__(self) -> Self:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(signum, self._request_stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
            signal.signal(signal.SIGHUP, self._request_stop)
            self._has_terminal = os.isatty(0)
        return self

    def __exit__(self, *error: object) -> None:
        self._stop(child.process for child in self._children if not child.stop_last)
        self._stop(child.process for child in self._children if child.stop_last)

    def start(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        stop_last: bool = False,
        log: Path | None = None,
        keep_open: Collection[int] = (),
    ) -> None:
        """Starts a process that should keep running; what it prints goes to our output, or into the file `log`.
        `keep_open`: our file descriptors that it has, too."""
        with log.open("wb") if log else nullcontext() as out:
            process = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                pass_fds=keep_open,
            )
        self._children.append(_Child(name, process, stop_last))

    def run(self, command: list[str], env: Mapping[str, str], cwd: Path, seconds: float) -> int | None:
        """Runs a job to its end; returns its exit code, None if it is killed after `seconds`. Raises like `wait`."""
        with subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True
        ) as job:
            try:
                self.wait(lambda: job.poll() is not None, seconds)
                return job.returncode
            finally:
                _signal([job], signal.SIGKILL)

    def wait(self, condition: Callable[[], bool], seconds: float = math.inf) -> bool:
        """Waits until `condition()` holds; False if it does not within `seconds`.

        Raises StopRequestedError, and ProcessEndedError if one of the processes has ended.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            # A terminal whose own command is make: SIGHUP reaches make, which waits for us.
            if self._stop_requested or (self._has_terminal and not os.isatty(0)):
                raise StopRequestedError
            for child in self._children:
                if (returncode := child.process.poll()) is not None:
                    raise ProcessEndedError(child.name, returncode)
            if time.monotonic() > deadline:
                return False
            time.sleep(_TICK_SECONDS)
        return True

    def _request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self._stop_requested = True

    def _stop(self, processes: Iterable[subprocess.Popen[bytes]]) -> None:
        """Sends SIGTERM, then SIGKILL. A second Ctrl-C changes nothing: the wait is bounded."""
        running = list(processes)
        for signum, seconds in ((signal.SIGTERM, self._stop_seconds), (signal.SIGKILL, _KILL_SECONDS)):
            _signal(running, signum)
            deadline = time.monotonic() + seconds
            for process in running:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))


def _signal(processes: Iterable[subprocess.Popen[bytes]], signum: signal.Signals) -> None:
    """Signals the whole group: its leader may have ended before a worker."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
