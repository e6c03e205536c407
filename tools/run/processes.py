"""Starts, shows and stops the processes of `make run`.

honcho starts each one in a session of its own, so that a terminal's Ctrl-C reaches only us, and prefixes its
lines. honcho's Manager is not used: it stops everything at once and kills after 5 s, but services that drain
(DRAIN_SECONDS) must have finished before the store they write to stops.
"""

import contextlib
import math
import os
import queue
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from honcho.colour import get_colours
from honcho.printer import Message, Printer
from honcho.process import Process

from tools.run.caller import Caller
from tools.run.console import Console

_TICK_SECONDS = 0.1
_KILL_SECONDS = 5.0


class StopRequestedError(Exception):
    """SIGINT, SIGTERM or SIGHUP came, or the `make` that started us was interrupted."""


class ProcessEndedError(Exception):
    """A process that was to stay ended by itself."""

    def __init__(self, name: str, returncode: int) -> None:
        how = f"exit code {returncode}" if returncode >= 0 else signal.Signals(-returncode).name
        super().__init__(f"{name} ended by itself ({how}); everything is stopped")


@dataclass
class _Child:
    name: str
    is_job: bool
    stop_last: bool
    pid: int | None = None
    returncode: int | None = None


class Supervisor:
    """Runs processes side by side; leaving its `with` block stops them all, those marked `stop_last` last."""

    def __init__(self, stop_seconds: float) -> None:
        """`stop_seconds`: how long a process may take from SIGTERM to its end before it is killed."""
        self._stop_seconds = stop_seconds
        self._children: dict[str, _Child] = {}
        self._events: queue.Queue[Any] = queue.Queue(1000)  # a full queue slows the process that writes too much
        self._console = Console()
        self._printer = Printer(self._console, width=len("user-service"))
        self._colours = get_colours()
        self._caller = Caller()
        self._stop_requested = False

    def __enter__(self) -> Self:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:  # nohup
                signal.signal(signum, self._request_stop)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._stop(child for child in self._children.values() if not child.stop_last)
            self._stop(child for child in self._children.values() if child.stop_last)
        finally:
            self._console.close()

    def say(self, text: str) -> None:
        """Shows a line of our own among those of the processes."""
        self._console.write(text + "\n")

    def start(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        is_job: bool = False,
        stop_last: bool = False,
    ) -> None:
        """Starts a process that is to stay (`is_job`: that may end)."""
        self._children[name] = _Child(name, is_job, stop_last)
        # honcho runs a shell line; exec, so that the signals reach the program and no shell is left between.
        process = Process(
            "exec " + shlex.join(command), name=name, colour=next(self._colours), env=dict(env), cwd=str(cwd)
        )
        threading.Thread(target=process.run, args=(self._events,), name=name, daemon=True).start()

    def run(self, name: str, command: list[str], env: Mapping[str, str], cwd: Path, seconds: float) -> int | None:
        """Runs a job to its end; its exit code, None if it has none after `seconds`. Raises like `wait`."""
        self.start(name, command, env, cwd, is_job=True)
        self.wait(lambda: self._children[name].returncode is not None, seconds)
        return self._children[name].returncode

    def wait(self, condition: Callable[[], bool], seconds: float = math.inf) -> bool:
        """Shows what the processes write until `condition()` holds; False if it does not within `seconds`.

        Raises StopRequestedError, and ProcessEndedError when a process that was to stay has ended.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self._show(_TICK_SECONDS)
            if self._stop_requested or self._caller.gave_up():
                raise StopRequestedError
            for child in self._children.values():
                if child.returncode is not None and not child.is_job:
                    raise ProcessEndedError(child.name, child.returncode)
            if time.monotonic() > deadline:
                return False
        return True

    def _request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        self._stop_requested = True  # a flag only: the main thread may be anywhere, with any lock held

    def _show(self, seconds: float) -> None:
        """Takes in the processes' events for `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._take(self._events.get(timeout=left))

    def _take(self, message: Message) -> None:
        if message.type == "line":
            self._printer.write(message)
        elif message.type == "start":
            self._children[message.name].pid = message.data["pid"]
        elif message.type == "stop":
            self._children[message.name].returncode = message.data["returncode"]

    def _stop(self, children: Iterable[_Child]) -> None:
        """SIGTERM, then SIGKILL for what outlives it. A second Ctrl-C changes nothing: it is bounded."""
        running = [child for child in children if child.returncode is None]
        # A thread that could start nothing never tells a pid.
        self._show_until(lambda: all(child.pid for child in running), _KILL_SECONDS)
        for signum, seconds in ((signal.SIGTERM, self._stop_seconds), (signal.SIGKILL, _KILL_SECONDS)):
            for child in running:
                if child.pid and child.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(child.pid, signum)
            self._show_until(lambda: all(child.returncode is not None for child in running if child.pid), seconds)

    def _show_until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            self._show(_TICK_SECONDS)
