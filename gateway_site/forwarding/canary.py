"""Chooses which requests of a route go to its canary."""

import random

from django.http.cookie import parse_cookie

from common.http.request import Request
from gateway_site.forwarding.circuit import CLOSED
from gateway_site.forwarding.service import Service
from gateway_site.routes.table import READING, Canary

GOLDEN_RATIO = (5**0.5 - 1) / 2
"""Its multiples modulo 1 are evenly spread, and so is every second, third … of them."""


class Split:
    """Selects the canary's share of the requests, and those whose header field or cookie names the canary or the stable
    service."""

    def __init__(self, canary: Canary, service: Service) -> None:
        self._canary, self.service = canary, service
        self._turn = random.random()  # noqa: S311 - another start in each worker

    def takes(self, request: Request) -> bool:
        """Whether this request goes to the canary: while its circuit is not closed, only reads that probe it."""
        circuit = self.service.circuit
        if circuit.state is not CLOSED and not (request.method in READING and circuit.has_trial):
            return False
        canary = self._canary
        asked = request.header(canary.header.encode("ascii")) if canary.header else None
        if asked is None and canary.cookie:
            asked = parse_cookie(request.header(b"cookie") or "").get(canary.cookie)
        if asked in {"always", "never"}:
            return asked == "always"
        self._turn = (self._turn + GOLDEN_RATIO) % 1
        return self._turn * 100 < canary.percent
