"""One service at three addresses, one of them failing; and a canary beside a stable service. On sockets."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.log_lines import lines
from tests.serving import Served, serving

SECONDS = 10
NAMES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128
    mode = "well"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self):
        status = 503 if self.server.mode == "503" else 200
        if self.server.mode == "resets" and self.path != "/health/live":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return
        if self.server.mode == "hangs":
            time.sleep(SECONDS)
            self.close_connection = True
            return
        body = ":".join(map(str, self.connection.getsockname())).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def server(host: str = NAMES[0], port: int = 0) -> Iterator[Server]:
    with Server((host, port), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def three() -> Iterator[list[Server]]:
    with server() as first, server(NAMES[1], first.server_port) as second, server(NAMES[2], first.server_port) as third:
        yield [first, second, third]


@pytest.fixture
def gateway(tmp_path: Path, three: list[Server]) -> Iterator[Served]:
    path = tmp_path / "routes.yaml"
    upstream = f"{{url: 'http://things:{three[0].server_port}', addresses: {list(NAMES)}}}"
    path.write_text(f"upstreams:\n  things: {upstream}\nroutes:\n- {{prefix: /things, upstream: things}}\n")
    with serving("gateway_site", ROUTES=str(path)) as running:
        yield running


@pytest.mark.parametrize("mode", ["refuses", "resets", "503", "hangs"])
def test_one_sick_address_of_three_costs_no_read(gateway: Served, three: list[Server], mode: str) -> None:
    with requests.Session() as session:
        before = {session.get(f"{gateway.url}/things/{n}", timeout=SECONDS).text.split(":")[0] for n in range(30)}
        assert before == set(NAMES)
        if mode == "refuses":
            three[1].shutdown()
            three[1].server_close()
        three[1].mode = mode if mode != "refuses" else "resets"
        statuses = [session.get(f"{gateway.url}/things/{n}", timeout=SECONDS).status_code for n in range(150)]
        assert set(statuses) == {200}
        text = session.get(f"{gateway.url}/metrics", timeout=SECONDS).text
    assert 'upstream_addresses{service="things",state="ejected"} 1.0' in text
    assert 'upstream_addresses{service="things",state="ready"} 2.0' in text
    assert 'upstream_ejections_total{reason="' in text
    found = lines(gateway)
    assert {line["upstream_address"] for line in found if line.get("route") == "/things/{path}"} >= {NAMES[0], NAMES[2]}


def test_a_canary_gets_its_share_and_those_who_ask_for_it(tmp_path: Path) -> None:
    with server() as stable, server() as canary:
        places = [f"http://127.0.0.1:{each.server_port}" for each in (stable, canary)]
        path = tmp_path / "routes.toml"
        path.write_text(
            f'[upstreams.stable]\nurl = "{places[0]}"\n[upstreams.next]\nurl = "{places[1]}"\n'
            '[[routes]]\nprefix = "/things"\nupstream = "stable"\n'
            'canary = { upstream = "next", percent = 10, header = "X-Canary", cookie = "canary" }\n'
        )
        with serving("gateway_site", ROUTES=str(path)) as gateway, requests.Session() as session:

            def is_canary(**fields: str) -> bool:
                answer = session.get(f"{gateway.url}/things", headers=fields, timeout=SECONDS)
                assert answer.status_code == 200
                return answer.text == places[1].removeprefix("http://")

            taken = [is_canary() for _ in range(1000)]
            assert 95 <= sum(taken) <= 105
            assert 45 <= sum(taken[::2]) <= 55, "of a client whose every second request is a read"
            assert all(is_canary(**{"X-Canary": "always"}) for _ in range(20))
            assert all(is_canary(Cookie="a=b; canary=always") for _ in range(20))
            assert not any(is_canary(**{"X-Canary": "never", "Cookie": "canary=always"}) for _ in range(60))
            text = session.get(f"{gateway.url}/metrics", timeout=SECONDS).text
        assert 'upstream_request_duration_seconds_count{method="GET",service="next",status_code="200"}' in text
