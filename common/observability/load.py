"""How many requests this process serves now."""

from types import TracebackType


class InFlight:
    """Counts requests: `with in_flight:` around each. A plain int, because the limit compares it on every request."""

    def __init__(self) -> None:
        self.count = 0
        self._paused = Paused(self)

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.count -= 1

    def paused(self) -> "Paused":
        """`with in_flight.paused():` while a request waits for its client or for its refusal: waiting is not load."""
        return self._paused


class Paused:
    """Takes one request out of the count. Holds no state of its own, so all requests share it."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight

    def __enter__(self) -> None:
        self._in_flight.count -= 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight.count += 1


in_flight = InFlight()
