"""A user service that fails: what the gateway sends again, and when it stops asking."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tools.testing.service import Service, free_port, service

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Scripted:
    """An upstream that breaks its first `broken` connections after reading a request, and answers the others."""

    def __init__(self, broken: int) -> None:
        self.left = broken
        self.seen: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                request = connection.recv(65536)
                if request.startswith(b"GET /health/live"):
                    connection.sendall(ANSWER.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))
                    continue
                self.seen.append(request)
                if self.left > 0:
                    self.left -= 1
                    continue
                connection.sendall(ANSWER.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))


@contextmanager
def pair(tmp_path: Path, broken: int) -> Iterator[tuple[Service, Scripted]]:
    upstream = Scripted(broken)
    try:
        with service("gateway_site", tmp_path, USER_SERVICE_URL=upstream.url, AUTH="none") as gateway:
            yield gateway, upstream
    finally:
        upstream.listener.close()


def metric(gateway: Service, line: str) -> float:
    text = requests.get(f"{gateway.url}/metrics", timeout=5).text
    return next((float(found.rpartition(" ")[2]) for found in text.splitlines() if found.startswith(line)), 0.0)


def test_a_get_survives_two_resets_and_the_metric_says_why(tmp_path: Path) -> None:
    with pair(tmp_path, broken=2) as (gateway, upstream):
        assert requests.get(f"{gateway.url}/api/users/x", timeout=10).status_code == 200
        assert len(upstream.seen) == 3
        assert metric(gateway, 'upstream_retries_total{reason="reset",service="user-service"}') == 2


def test_a_post_is_sent_once(tmp_path: Path) -> None:
    with pair(tmp_path, broken=1) as (gateway, upstream):
        answer = requests.post(f"{gateway.url}/api/users", json={}, timeout=10)
        assert answer.json()["code"] == "bad-upstream"
        assert len(upstream.seen) == 1


def test_a_post_with_an_idempotency_key_is_sent_again_with_it(tmp_path: Path) -> None:
    with pair(tmp_path, broken=1) as (gateway, upstream):
        answer = requests.post(f"{gateway.url}/api/users", json={}, headers={"Idempotency-Key": "k1"}, timeout=10)
        assert answer.status_code == 200
        assert [b"idempotency-key: k1" in request.lower() for request in upstream.seen] == [True, True]


def test_what_is_left_of_the_time_goes_with_the_request(tmp_path: Path) -> None:
    with pair(tmp_path, broken=1) as (gateway, upstream):
        forged = {"X-Request-Timeout-Ms": "9999999"}
        assert requests.get(f"{gateway.url}/api/users/x", headers=forged, timeout=10).status_code == 200
        left = [int(request.lower().partition(b"x-request-timeout-ms: ")[2].split()[0]) for request in upstream.seen]
        assert 5000 >= left[0] > left[1] > 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_service_opens_the_circuit_and_its_return_closes_it(tmp_path: Path, users_service: Service) -> None:
    port = free_port()
    with service("gateway_site", tmp_path, USER_SERVICE_URL=f"http://127.0.0.1:{port}", AUTH="none") as gateway:
        url = f"{gateway.url}/api/users/x"
        answers = [requests.get(url, timeout=5) for _ in range(40)]
        codes = [answer.json()["code"] for answer in answers]
        assert codes[0] == "bad-upstream"
        assert codes[-1] == "upstream-unavailable"
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert metric(gateway, 'upstream_circuit_state{service="user-service"}') == 2
        assert requests.get(f"{gateway.url}/health/live", timeout=5).status_code == 200
        with socket.create_server(("127.0.0.1", port)) as listener:
            stop = threading.Event()
            threading.Thread(target=answer_all, args=(listener, stop), daemon=True).start()
            assert becomes_200(url, seconds=10)
            assert metric(gateway, 'upstream_circuit_state{service="user-service"}') == 0
            stop.set()


def answer_all(listener: socket.socket, stop: threading.Event) -> None:
    listener.settimeout(0.2)
    while not stop.is_set():
        try:
            connection, _ = listener.accept()
        except (TimeoutError, OSError):
            continue
        with connection:
            connection.settimeout(5)
            connection.recv(65536)
            connection.sendall(ANSWER.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))


def becomes_200(url: str, seconds: float) -> bool:
    deadline, good = time.monotonic() + seconds, 0
    while time.monotonic() < deadline and good < 5:
        good = good + 1 if requests.get(url, timeout=5).status_code == 200 else 0
        time.sleep(0.02)
    return good == 5
