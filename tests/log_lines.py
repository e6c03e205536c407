"""Reads a service's log lines."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import orjson

SECONDS = 10

Line = dict[str, Any]


class Logged(Protocol):
    """A running site with a file of log lines."""

    @property
    def log(self) -> Path: ...


def lines(service: Logged) -> list[Line]:
    """Every line so far. Raises JSONDecodeError where one is not JSON."""
    return [orjson.loads(line) for line in service.log.read_bytes().splitlines()]


def waited_for(service: Logged, wanted: Callable[[Line], bool]) -> list[Line]:
    """The lines that match, once there is one; none after the time-out."""
    deadline = time.monotonic() + SECONDS
    found: list[Line] = []
    while not found and time.monotonic() < deadline:
        found = [line for line in lines(service) if wanted(line)]
        if not found:
            time.sleep(0.05)
    return found


def access_lines(service: Logged, request_id: str) -> list[Line]:
    """The access lines of one request, once there is one."""
    return waited_for(service, lambda line: line.get("request_id") == request_id and "status_code" in line)
