"""Whether this process has been told to stop. Light: the server's own processes know it too."""

_draining = False


def start() -> None:
    """From now on /health/ready says 503 and every answer closes its connection."""
    global _draining
    _draining = True


def is_on() -> bool:
    """Whether the process drains."""
    return _draining
