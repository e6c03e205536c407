"""Progress of a long command: tqdm's bar on a terminal, occasional plain lines elsewhere."""

from collections.abc import Callable
from types import SimpleNamespace

from tqdm import tqdm

BAR_SECONDS, LINE_SECONDS = 0.1, 10.0


class Progress(tqdm):  # type: ignore[misc]
    """Counts to `total` (None: unknown) of `what`, e.g. "users seeded". `write` shows text immediately."""

    monitor_interval = 0  # no thread

    def __init__(self, total: int | None, what: str, write: Callable[[str], None], *, is_terminal: bool) -> None:
        self.what, self._show, self._is_terminal = what, write, is_terminal
        seconds = BAR_SECONDS if is_terminal else LINE_SECONDS
        super().__init__(
            total=total,
            file=SimpleNamespace(write=write),
            delay=seconds,
            mininterval=seconds,
            leave=False,
            dynamic_ncols=True,
        )

    def position(self) -> str:
        of = f" of {self.total:,}" if self.total is not None else ""
        return f"{self.n:,}{of} {self.what}"

    @property
    def seconds(self) -> float:
        return float(self.format_dict["elapsed"])

    def summary(self, count: int | None = None, what: str = "") -> str:
        """The count, the time and the rate; by default of everything counted."""
        done = self.n if count is None else count
        return f"{done:,} {what or self.what} in {self.seconds:.1f} s ({done / max(self.seconds, 1e-6):,.0f}/s)"

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """tqdm's hook for other forms of display."""
        if self._is_terminal:
            super().display(msg, pos)
        elif self.n:
            self._show(f"{self.position()}, {self.n / max(self.seconds, 1e-6):,.0f}/s\n")

    def clear(self, nolock: bool = False) -> None:
        if self._is_terminal:
            super().clear(nolock)
