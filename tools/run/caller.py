"""Whether the `make` that started us was told to stop.

GNU make passes SIGTERM on to its recipe, but neither SIGINT sent to make alone nor, of course, SIGKILL: it
would wait for us, or leave us behind. A make that got SIGINT has set the signal back to its default before it
waits, which /proc shows on Linux. Elsewhere, and under another parent, this watches nothing.
"""

import os
import signal
from pathlib import Path

_SIGINT_BIT = 1 << (signal.SIGINT - 1)


class Caller:
    """Our parent process, as it was when this was created."""

    def __init__(self) -> None:
        self._pid = os.getppid()
        self._is_make = self._read("comm").strip() in {"make", "gmake"}
        self._catches_sigint = self._has_sigint_handler()

    def gave_up(self) -> bool:
        """True once make is gone or was interrupted."""
        if not self._is_make:
            return False
        return os.getppid() != self._pid or (self._catches_sigint and not self._has_sigint_handler())

    def _has_sigint_handler(self) -> bool:
        fields = dict(line.split(":", 1) for line in self._read("status").splitlines())
        return bool(int(fields.get("SigCgt", "0"), 16) & _SIGINT_BIT)

    def _read(self, name: str) -> str:
        try:
            return Path(f"/proc/{self._pid}/{name}").read_text()
        except OSError:
            return ""
