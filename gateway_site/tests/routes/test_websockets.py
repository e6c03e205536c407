"""A route with `websocket`: a client and a server that are not ours (the library websockets), with the gateway between them."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from websockets import exceptions
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.sync.connection import Connection
from websockets.sync.server import Server, ServerConnection, serve

from gateway_site.forwarding import frames
from gateway_site.tests.routes.conftest import metric
from tests.log_lines import lines
from tests.wire import exchange, get
from tools.processes.cluster import until
from tools.processes.service import Service

pytestmark = pytest.mark.slow

SECONDS = 10
IDLE_MS, MOST = 1500, 200_000
TABLE = f"""
[upstreams.chat]
url = "{{url}}"

[[routes]]
prefix = "/chat"
upstream = "chat"
rewrite = "/"
websocket = true
timeout_ms = 60000
idle_timeout_ms = {IDLE_MS}
max_body_bytes = {MOST}

[[routes]]
prefix = "/plain"
upstream = "{{url}}"
rewrite = "/"
"""
ASKS = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Upstream:
    """Echoes messages; "bye" closes with 4000, "die" resets. `ends`: the code that each connection ended with."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.ends: list[int | None] = []
        self.server: Server = serve(self.talk, "127.0.0.1", 0, max_size=None)
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.requests.append(dict(connection.request.headers.raw_items()))
        with suppress(exceptions.ConnectionClosed):
            for message in connection:
                if message == "bye":
                    connection.close(4000, "enough")
                elif message == "die":
                    connection.socket.shutdown(socket.SHUT_RDWR)
                else:
                    connection.send(message)
        self.ends.append(connection.close_code)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    running = Upstream()
    yield running
    running.server.shutdown()


@pytest.fixture(scope="module")
def gateway(start: Callable[..., Service], upstream: Upstream) -> Service:
    return start(TABLE.format(url=f"http://127.0.0.1:{upstream.port}"))


@pytest.fixture
def chat(gateway: Service) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{gateway.port}/chat/room?x=1", max_size=None) as connection:
        yield connection


def closed(connection: Connection) -> int | None:
    """The code that it ends with."""
    with pytest.raises(exceptions.ConnectionClosed):
        connection.recv(timeout=SECONDS)
    return connection.close_code


def test_messages_of_any_size_pass_in_both_directions(
    gateway: Service, chat: ClientConnection, upstream: Upstream
) -> None:
    for size in (0, 1, 125, 126, 65_535, 65_536, MOST - 1000):
        message = os.urandom(size)  # compressed, it is larger
        chat.send(message)
        assert chat.recv(timeout=SECONDS) == message
    chat.send(["in ", "three ", "frames"])
    assert chat.recv(timeout=SECONDS) == "in three frames"
    assert chat.ping().wait(SECONDS)
    assert metric(gateway, 'upstream_streams{service="chat"}') >= 1
    assert metric(gateway, "http_requests_in_flight") == 1, "no load: the scrape alone"
    assert upstream.requests[-1]["x-forwarded-prefix"] == "/chat"
    assert "permessage-deflate" in str(chat.response and chat.response.headers["Sec-WebSocket-Extensions"])


def test_both_ends_may_close_with_a_code_of_their_own(gateway: Service, upstream: Upstream) -> None:
    url = f"ws://127.0.0.1:{gateway.port}/chat"
    switched = 'http_requests_total{method="GET",route="/chat",status_code="101"}'
    before = metric(gateway, switched)
    with connect(url) as first, connect(url) as second:
        first.send("bye")
        assert closed(first) == 4000
        second.close(4001)
        until(lambda: 4001 in upstream.ends)
    until(lambda: metric(gateway, switched) == before + 2)
    *_, line = [line for line in lines(gateway) if line["message"] == "request" and line["path"] == "/chat"]
    assert (line["status_code"], line["route"], line["level"]) == (101, "/chat", "info")
    assert metric(gateway, "http_requests_in_flight") == 1


def test_a_client_that_vanishes_ends_the_upstreams_connection(chat: ClientConnection, upstream: Upstream) -> None:
    before = len(upstream.ends)
    chat.socket.close()
    until(lambda: len(upstream.ends) > before)


def test_an_upstream_that_vanishes_is_a_bad_gateway(chat: ClientConnection) -> None:
    chat.send("die")
    assert closed(chat) == 1014


def test_a_stop_of_the_gateway_is_going_away_for_both(start: Callable[..., Service], upstream: Upstream) -> None:
    gateway = start(TABLE.format(url=f"http://127.0.0.1:{upstream.port}"))
    with connect(f"ws://127.0.0.1:{gateway.port}/chat") as chat:
        chat.send("hello")
        assert chat.recv(timeout=SECONDS) == "hello"
        before = len(upstream.ends)
        gateway.process.terminate()
        assert closed(chat) == 1001
    until(lambda: upstream.ends[before:] == [1001])
    assert gateway.process.wait(SECONDS) == 0


def test_silence_ends_it_and_one_direction_alone_is_no_silence(gateway: Service) -> None:
    with connect(f"ws://127.0.0.1:{gateway.port}/chat", ping_interval=None) as chat:
        for _ in range(4):
            time.sleep(IDLE_MS / 1000 / 2)
            chat.pong()  # nobody answers a pong
        started = time.monotonic()
        assert closed(chat) == 1001
        assert IDLE_MS / 1000 * 0.5 < time.monotonic() - started


def test_a_message_that_is_too_large_is_refused(gateway: Service) -> None:
    with connect(f"ws://127.0.0.1:{gateway.port}/chat", compression=None) as chat:
        chat.send([b"x" * (MOST // 2), b"x" * (MOST // 2)])
        assert len(chat.recv(timeout=SECONDS)) == MOST // 2 * 2
        with suppress(exceptions.ConnectionClosed):
            chat.send([b"x" * (MOST // 2), b"x" * (MOST // 2), b"x"])
        assert closed(chat) == 1009


@pytest.mark.parametrize("path", ["/plain", "/version"])
def test_elsewhere_the_upgrade_is_ignored(gateway: Service, path: str) -> None:
    answer = exchange(gateway.port, get(path, *ASKS))
    assert answer.status == (426 if path == "/plain" else 200)
    assert answer.values("connection") == ["close"], "what follows are frames, not a request"


@pytest.mark.parametrize("change", [(b"HTTP/1.1", b"HTTP/1.0"), (b"Version: 13", b"Version: 7")])
def test_a_handshake_that_the_upstream_refuses_is_its_answer(gateway: Service, change: tuple[bytes, bytes]) -> None:
    assert exchange(gateway.port, get("/chat", *ASKS).replace(*change)).status in {400, 426}


def test_frames_are_followed_however_they_are_split() -> None:
    message = [
        Frame(Opcode.TEXT, b"a" * 300, fin=False),
        Frame(Opcode.CONT, b"", fin=False),
        Frame(Opcode.CONT, b"b" * 125),
    ]
    sent = [message[0], Frame(Opcode.PING, b"ping"), *message[1:], Frame(Opcode.CLOSE, b"\3\xe9")]
    stream = b"".join(frame.serialize(mask=number % 2 > 0) for number, frame in enumerate(sent))
    for size in range(1, 60):
        followed = frames.Frames(425)
        for start in range(0, len(stream), size):
            followed.feed(stream[start : start + size])
        assert followed.is_closed
        assert followed.is_between


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\x89\x7e", 1002), (b"\x09\x00", 1002), (b"\x82\x7f" + b"\xff" * 8, 1009), (b"\x02\x05aaaaa\x80\x06", 1009)],
)
def test_frames_that_break_the_rules_are_refused(data: bytes, code: int) -> None:
    with pytest.raises(frames.Violation) as caught:
        frames.Frames(10).feed(data + b"\0\0")
    assert caught.value.code == code
