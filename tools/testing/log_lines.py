"""What a service has logged, line by line."""

import time
from collections.abc import Callable
from typing import Any

import orjson

from tools.testing.service import Service

SECONDS = 10

Line = dict[str, Any]


def lines(service: Service) -> list[Line]:
    """Every line so far. Raises JSONDecodeError where one is not JSON."""
    return [orjson.loads(line) for line in service.log.read_bytes().splitlines()]


def waited_for(service: Service, wanted: Callable[[Line], bool]) -> list[Line]:
    """The lines that are `wanted`, once there is one; none at all when none comes in time."""
    deadline = time.monotonic() + SECONDS
    found: list[Line] = []
    while not found and time.monotonic() < deadline:
        found = [line for line in lines(service) if wanted(line)]
        if not found:
            time.sleep(0.05)
    return found


def access_lines(service: Service, request_id: str) -> list[Line]:
    """The access lines of one request, once there is one."""
    return waited_for(service, lambda line: line.get("request_id") == request_id and "status_code" in line)
