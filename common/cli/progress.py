"""How far a long command is: a bar on a terminal, a plain line now and then elsewhere."""

import shutil
import time
from collections.abc import Callable

BAR_SECONDS, LINE_SECONDS = 0.1, 10.0
BAR_WIDTH, LEAST_BAR_WIDTH = 24, 5


class Progress:
    """Counts to `total` (None: not known) of `what`, e.g. "users seeded". `write` shows text at once."""

    def __init__(self, total: int | None, what: str, write: Callable[[str], None], *, is_terminal: bool) -> None:
        self.total, self.what = total, what
        self.done = 0
        self._write, self._is_terminal = write, is_terminal
        self._interval = BAR_SECONDS if is_terminal else LINE_SECONDS
        self._started = self._shown = time.monotonic()
        self._is_drawn = False

    def add(self, count: int) -> None:
        """`count` more are done."""
        self.done += count
        now = time.monotonic()
        if now - self._shown >= self._interval:
            self._shown = now
            self._show()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.done / max(self.seconds, 1e-6)

    def position(self) -> str:
        """Where it stands."""
        of = f" of {self.total:,}" if self.total is not None else ""
        return f"{self.done:,}{of} {self.what}"

    def summary(self) -> str:
        """What was done, in how long."""
        return f"{self.done:,} {self.what} in {self.seconds:.1f} s ({self.rate:,.0f}/s)"

    def clear(self) -> None:
        """Takes the bar off the terminal."""
        if self._is_drawn:
            self._write("\r\x1b[K")
            self._is_drawn = False

    def _show(self) -> None:
        text = f"{self.position()}, {self.rate:,.0f}/s{self._time_left()}"
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r\x1b[K{(self._bar(width - len(text)) + text)[:width]}")
            self._is_drawn = True
        else:
            self._write(text + "\n")

    def _bar(self, room: int) -> str:
        """The share that is done; in so many columns that the time left still has its place."""
        if not self.total:
            return ""
        share = f"{min(100, self.done * 100 // self.total):3d} %  "
        width = min(BAR_WIDTH, room - len("[] ") - len(share))
        if width < LEAST_BAR_WIDTH:
            return share
        filled = min(width, self.done * width // self.total)
        return f"[{'#' * filled}{'.' * (width - filled)}] {share}"

    def _time_left(self) -> str:
        if not self.total or not self.done:
            return ""
        seconds = int(max(0, self.total - self.done) / self.rate)
        return f", {seconds // 60}:{seconds % 60:02d} left"
