"""Requests that the server refuses before the application serves them."""


class Refusal(Exception):
    """A request that is malformed or exceeds a limit of the server. `reason` quotes no part of the request."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason
