"""Clients that send the next request immediately, also after a 503: `python -m tools.drills.flood PORT IDS CALM ALL ROUNDS`.

CALM connections and ALL connections send in turn, ROUNDS times. Prints a JSON list, one calm more than floods: {"goodput",
"refused"} a second, {"p99"} of accepted requests in seconds, {"lost"} connections so far.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import uvloop

RAMP_PER_SECOND = 2000
RISE_SECONDS, MEASURE_SECONDS, WARM_SECONDS = 5.0, 2.5, 2.0
"""Refusals wait up to 4 s: only then does a flood reach its rate, and are its refusals over before the calm is
measured."""


class Flood:
    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.good: list[float] = []
        self.refused = self.lost = 0
        self.asking = 0
        """Connections with a lower number send requests."""

    async def measure(self, asking: int, clients: "list[Client]", settle: float) -> dict[str, float]:
        self.asking = asking
        for client in clients[:asking]:
            client.ask()
        await asyncio.sleep(settle)
        self.good.clear()
        self.refused, started = 0, time.perf_counter()
        await asyncio.sleep(MEASURE_SECONDS)
        seconds, good = time.perf_counter() - started, sorted(self.good)
        p99 = good[int(0.99 * (len(good) - 1))] if good else 99.0
        return {"goodput": len(good) / seconds, "refused": self.refused / seconds, "p99": p99, "lost": self.lost}


class Client(asyncio.Protocol):
    def __init__(self, flood: Flood, number: int) -> None:
        self.flood, self.number = flood, number
        self.buffer = b""
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(self) -> None:
        if not self.is_busy and self.number < self.flood.asking and not self.transport.is_closing():
            self.is_busy, self.asked_at = True, time.perf_counter()
            self.transport.write(next(self.flood.requests))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self.buffer, self.is_busy = b"", False
        if head[9:12] == b"200":
            self.flood.good.append(time.perf_counter() - self.asked_at)
        else:
            self.flood.refused += 1
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self.flood.lost += 1


async def flood(port: int, ids: list[str], calm: int, everybody: int, rounds: int) -> list[dict[str, float]]:
    heads = [f"GET /api/users/{user_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for user_id in ids]
    shared = Flood(itertools.cycle(heads))
    loop = asyncio.get_running_loop()
    clients = []
    for number in range(everybody):
        _, client = await loop.create_connection(lambda number=number: Client(shared, number), "127.0.0.1", port)  # type: ignore[misc]
        clients.append(client)
        if number % 50 == 0:
            await asyncio.sleep(50 / RAMP_PER_SECOND)
    found = [await shared.measure(calm, clients, WARM_SECONDS)]
    for _ in range(rounds):
        found.append(await shared.measure(everybody, clients, RISE_SECONDS))
        found.append(await shared.measure(calm, clients, RISE_SECONDS))
    return found


def main() -> None:
    port, ids, calm, everybody, rounds = sys.argv[1:6]
    found = uvloop.run(flood(int(port), ids.split(","), int(calm), int(everybody), int(rounds)))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
