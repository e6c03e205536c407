"""Time as a test says, for what takes a clock."""


class Clock:
    """Seconds that pass when `now` is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
