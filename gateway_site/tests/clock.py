"""A clock that a test sets."""


class Clock:
    """Seconds that pass when `now` is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
