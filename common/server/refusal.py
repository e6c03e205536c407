"""What the server refuses before the application serves it."""


class Refusal(Exception):
    """A request that is not well-formed, or exceeds a limit of the server. `reason` quotes nothing of the request."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason
