"""Whether this process drains: readiness is 503, and every answer closes its connection."""

_draining = False


def start() -> None:
    """Begins the drain; it has no end."""
    global _draining
    _draining = True


def is_on() -> bool:
    return _draining
