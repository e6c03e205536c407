"""How many requests this process serves now."""

from typing import Any


class Step:
    """A context in which the count differs by `step`. Holds no state of its own, so all requests share it."""

    def __init__(self, load: "Load", step: int) -> None:
        self._load, self._step = load, step

    def __enter__(self) -> None:
        self._load.count += self._step

    def __exit__(self, *error: Any) -> None:
        self._load.count -= self._step


class Load(Step):
    """`with in_flight:` counts a request. A plain int, because the limit compares it on every request."""

    def __init__(self) -> None:
        super().__init__(self, 1)
        self.count = 0
        self._paused = Step(self, -1)

    def paused(self) -> Step:
        """`with in_flight.paused():` while a request waits for its client or for its refusal: waiting is not load."""
        return self._paused


in_flight = Load()
