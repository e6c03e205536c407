"""A load generator: keep-alive connections, each with one request in flight, for a number of seconds.

`python -m bench.load PORT SCENARIO CONNECTIONS SECONDS FILE [FIELD]` prints one JSON object. It runs in its own
process. Latencies are in ms. FILE has ids, or for `targets` request targets, one per line. FIELD is a header field for
reads.
"""

import asyncio
import itertools
import json
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

CRLF = "\r\n"
TAG = secrets.token_hex(5)


def get(path: str, field: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{field and field + CRLF}\r\n".encode()


def send(method: str, path: str, body: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def post(path: str, number: int) -> bytes:
    return send("POST", path, f'{{"name":"Load User {number}","email":"{TAG}-{number}@example.com"}}')


def requests(scenario: str, lines: list[str], base: str, field: str = "") -> Iterator[bytes]:
    """An endless stream of a scenario's requests. `mixed`: 80 % read, 15 % list, 5 % create."""
    reads = itertools.cycle([get(line if scenario == "targets" else f"{base}/{line}", field) for line in lines])
    ids = itertools.cycle(lines)
    page = get(f"{base}?limit=20")
    for number in itertools.count():
        match scenario:
            case "read" | "targets":
                yield next(reads)
            case "list":
                yield page
            case "create":
                yield post(base, number)
            case "change":
                yield send("PATCH", f"{base}/{next(ids)}", f'{{"name":"Load User {number}"}}')
            case "empty":
                yield get("/")
            case "redis":
                yield b"*1\r\n$4\r\nPING\r\n"
            case _:
                step = number % 20
                yield post(base, number) if step == 9 else page if step in {4, 12, 17} else next(reads)


class Client(asyncio.Protocol):
    """One connection; sends the next request when an answer is complete."""

    good = b"HTTP/1.1 2"

    def __init__(self, stream: Iterator[bytes], latencies: list[float], bad: list[int]) -> None:
        self.stream, self.latencies, self.bad = stream, latencies, bad
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(next(self.stream))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        answered = self.buffer + data
        if self.is_incomplete(answered):
            self.buffer = answered
            return
        self.buffer = b""
        self.latencies.append(time.perf_counter() - self.sent_at)
        if not answered.startswith(self.good):
            self.bad.append(1)
        self.send()

    def is_incomplete(self, answered: bytes) -> bool:
        """Whether the answer is incomplete; every answer of these scenarios has a Content-Length."""
        head, end, body = answered.partition(b"\r\n\r\n")
        if not end:
            return True
        return len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])

    def connection_lost(self, error: Exception | None) -> None:
        self.bad.append(0)


class StoreClient(Client):
    """One connection to a Redis without a password, for bare round trips."""

    good = b"+PONG"

    def is_incomplete(self, answered: bytes) -> bool:
        return not answered.endswith(b"\r\n")


async def load(
    port: int, scenario: str, connections: int, seconds: float, lines: list[str], field: str
) -> dict[str, float]:
    base = "/users" if scenario.startswith("direct-") else "/api/users"
    stream = requests(scenario.removeprefix("direct-"), lines, base, field)
    latencies: list[float] = []
    bad: list[int] = []
    loop = asyncio.get_running_loop()
    kind = StoreClient if scenario == "redis" else Client
    for _ in range(connections):
        await loop.create_connection(lambda: kind(stream, latencies, bad), "127.0.0.1", port)
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed, answered, refused = time.perf_counter() - started, sorted(latencies), len(bad)

    def rank(share: float) -> float:
        return round(answered[int(share * (len(answered) - 1))] * 1000, 3)

    return {
        "requests": len(answered),
        "rps": round(len(answered) / elapsed),
        "p50_ms": rank(0.5),
        "p90_ms": rank(0.9),
        "p99_ms": rank(0.99),
        "bad": refused,
    }


def main() -> None:
    port, scenario, connections, seconds, file, field = [*sys.argv[1:], ""][:6]
    lines = Path(file).read_text().split() if Path(file).is_file() else []
    outcome = uvloop.run(load(int(port), scenario, int(connections), float(seconds), lines, field))
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
