"""One service at three addresses, one of them failing; and a canary beside a stable service. On sockets."""

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from prometheus_client import REGISTRY

from common.http.problem import Problem
from common.observability.notices import Notices
from gateway_site.forwarding import service
from gateway_site.forwarding.canary import Split
from gateway_site.forwarding.circuit import State
from gateway_site.forwarding.service import Service
from gateway_site.routes.table import Canary, Upstream
from gateway_site.tests.routes.conftest import metric
from packages.http_pool import Outgoing
from tests.in_process import request
from tests.log_lines import lines
from tests.recording import Received, Recording, Reply, recording, reset, wait_for_close
from tests.serving import Served, serving
from tools.processes.cluster import until

pytestmark = pytest.mark.slow

SECONDS = 10
BURST = 48
NAMES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def named(request: Received, connection: socket.socket) -> None:
    """Answers with its own address."""
    body = ":".join(map(str, connection.getsockname())).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def resetting(request: Received, connection: socket.socket) -> None:
    """Answers checks alone."""
    reply = named if request.line.startswith(b"GET /health/live ") else reset
    reply(request, connection)


def failing(request: Received, connection: socket.socket) -> None:
    if request.line.startswith(b"GET /health/live "):
        named(request, connection)
    else:
        connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def server(host: str = NAMES[0], port: int = 0) -> Iterator[Recording]:
    with recording(host, port) as running:
        running.default = named
        yield running


@pytest.fixture
def three() -> Iterator[list[Recording]]:
    with server() as first, server(NAMES[1], first.port) as second, server(NAMES[2], first.port) as third:
        yield [first, second, third]


@pytest.fixture
def gateway(tmp_path: Path, three: list[Recording], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Its budget is for the first failures of an address, not for a burst."""
    monkeypatch.setattr("gateway_site.forwarding.retries.RESERVE", 5.0)
    monkeypatch.setattr("gateway_site.forwarding.retries.SHARE", 0.0)
    monkeypatch.setattr(service, "notices", Notices(service.logger))  # another test may have warned
    path = tmp_path / "routes.yaml"
    url, zones = f"http://things:{three[0].port}", ["127.0.0.0/8"]
    upstream = f"{{url: '{url}', addresses: {list(NAMES)}, zones: {zones}}}"
    path.write_text(f"upstreams:\n  things: {upstream}\nroutes:\n- {{prefix: /things, upstream: things}}\n")
    # A stall of this process, which serves all of them, must not look like addresses that accept no connection.
    with serving(
        "gateway_site", ROUTES=str(path), UPSTREAM_CONNECT_TIMEOUT_MS="4000", UPSTREAM_TIMEOUT_MS="4000"
    ) as running:
        yield running


@pytest.mark.parametrize("fault", [None, resetting, failing, wait_for_close], ids=["refuses", "resets", "500", "hangs"])
def test_one_sick_address_of_three_costs_no_read_of_a_burst(
    gateway: Served, three: list[Recording], fault: Reply | None
) -> None:
    with requests.Session() as session, ThreadPoolExecutor(BURST) as pool:
        session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=BURST))
        before = {session.get(f"{gateway.url}/things/{n}", timeout=SECONDS).text.split(":")[0] for n in range(30)}
        assert before == set(NAMES)
        if fault is None:
            three[1].listener.shutdown(socket.SHUT_RDWR)
        three[1].default = fault or resetting
        writes = [pool.submit(session.post, f"{gateway.url}/things", timeout=SECONDS) for _ in range(BURST // 3)]
        answers = pool.map(lambda n: session.get(f"{gateway.url}/things/{n}", timeout=SECONDS), range(2 * BURST))
        assert Counter(answer.status_code for answer in answers) == {200: 2 * BURST}
        assert {write.result().status_code for write in writes} <= {200, 500, 502, 504}
        text = session.get(f"{gateway.url}/metrics", timeout=SECONDS).text
    assert re.search(r'upstream_ejections_total\{reason="\w+",service="things"\}', text)
    assert 'upstream_circuit_state{service="things"} 0.0' in text, "writes fail there, but not at the others"
    if fault in {None, wait_for_close}:  # else its checks bring it back
        assert 'upstream_addresses{service="things",state="ejected"} 1.0' in text
        assert 'upstream_addresses{service="things",state="ready"} 2.0' in text
    found = lines(gateway)
    ejected = [line for line in found if line["message"] == "address ejected"]
    assert {(line["upstream"], line["address"]) for line in ejected} == {("things", NAMES[1])}
    assert all(line["reason"] for line in ejected)
    assert {line["upstream_address"] for line in found if line.get("route") == "/things/{path}"} >= {NAMES[0], NAMES[2]}


async def test_an_upstream_that_left_the_table_has_no_addresses() -> None:
    left = Service(Upstream("left", "http://left:1", addresses=NAMES[:2]))
    with pytest.raises(Problem):
        await left.ask(Outgoing("GET", b"/", []), time.perf_counter(), 5, 0)
    left.leave()
    states = ({"service": "left", "state": state} for state in ("ready", "ejected"))
    assert [REGISTRY.get_sample_value("upstream_addresses", labels) for labels in states] == [0, 0]
    await left.close()


CIRCUIT = 'upstream_circuit_state{service="next"}'


def test_a_canary_gets_its_share_and_those_who_ask_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_site.forwarding.circuit.OPEN_SECONDS", 0.2)
    with server() as stable, server() as canary:
        path = tmp_path / "routes.toml"
        path.write_text(
            f'[upstreams.stable]\nurl = "{stable.url}"\n[upstreams.next]\nurl = "{canary.url}"\n'
            '[[routes]]\nprefix = "/things"\nupstream = "stable"\n'
            'canary = { upstream = "next", percent = 10, header = "X-Canary", cookie = "canary" }\n'
        )
        settings = {"ROUTES": str(path), "MAX_BODY_BYTES": "200000"}
        with serving("gateway_site", **settings) as gateway, requests.Session() as session:

            def is_canary(**fields: str) -> bool:
                answer = session.get(f"{gateway.url}/things", headers=fields, timeout=SECONDS)
                assert answer.status_code == 200
                return answer.text == canary.url.removeprefix("http://")

            assert 8 <= sum(is_canary() for _ in range(100)) <= 12
            assert all(is_canary(**{"X-Canary": "always"}) for _ in range(5))
            assert all(is_canary(Cookie="a=b; canary=always") for _ in range(5))
            assert not any(is_canary(**{"X-Canary": "never", "Cookie": "canary=always"}) for _ in range(30))
            text = session.get(f"{gateway.url}/metrics", timeout=SECONDS).text
            canary.default = resetting
            fields, body = {"X-Canary": "always"}, b"x" * 100_000
            refused = session.get(f"{gateway.url}/things", headers=fields, data=body, timeout=SECONDS)
            assert refused.json()["code"] == "bad-upstream", "a body that streamed through cannot be sent again"
            assert not any(is_canary(**fields) for _ in range(10)), "its reads go to the stable one"
            assert metric(gateway, CIRCUIT) > State.CLOSED
            write = session.post(f"{gateway.url}/things", headers=fields, timeout=SECONDS)
            assert write.text == stable.url.removeprefix("http://"), "no write tries it"
            canary.default = named
            until(lambda: is_canary(**fields) and metric(gateway, CIRCUIT) == State.CLOSED)
        assert 'upstream_request_duration_seconds_count{method="GET",service="next",status_code="200"}' in text


@pytest.mark.parametrize("percent", [0, 0.5, 10, 50, 100])
def test_a_canarys_share_is_exact_also_among_every_third_request(percent: float) -> None:
    split = Split(Canary("next", percent), Service(Upstream("next", "http://next:1")))
    taken = [split.takes(request()) for _ in range(12_000)]
    assert abs(100 * sum(taken) / len(taken) - percent) < 0.1
    assert abs(100 * sum(taken[::3]) / len(taken[::3]) - percent) < 0.5
