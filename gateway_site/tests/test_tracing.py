"""One trace from client to Redis, received by an OTLP server: the protocol's own messages, over HTTP."""

import gzip
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tools.processes.service import Service, free_port, service
from tools.processes.store import Store

pytestmark = pytest.mark.slow

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
CLIENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


class Receiver:
    """Keeps every span that it is sent, as (service, span)."""

    def __init__(self, delay: float = 0) -> None:
        self.spans: list[tuple[str, Any]] = []
        spans = self.spans

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                time.sleep(delay)
                message = ExportTraceServiceRequest.FromString(body)
                for batch in message.resource_spans:
                    names = {a.key: a.value.string_value for a in batch.resource.attributes}
                    spans.extend((names["service.name"], s) for scope in batch.scope_spans for s in scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait_for(self, count: int) -> list[tuple[str, Any]]:
        deadline = time.monotonic() + 15
        while len(self.spans) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.spans


@contextmanager
def traced_pair(tmp_path: Path, store: Store, endpoint: str, **settings: str) -> Iterator[tuple[Service, Service]]:
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **QUICK, **settings}
    with (
        service("users_site", tmp_path, REDIS_URL=store.url, **otel) as users,
        service("gateway_site", tmp_path, USER_SERVICE_URL=users.url, AUTH="none", **otel) as gateway,
    ):
        yield gateway, users


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.server.shutdown()
    running.server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_one_trace_from_client_to_redis(tmp_path: Path, shared_store: Store, receiver: Receiver) -> None:
    with traced_pair(tmp_path, shared_store, receiver.url) as (gateway, users):
        requests.get(f"{users.url}/health/ready", timeout=10)  # the first use of a store asks for its layout too
        assert requests.get(f"{gateway.url}/api/users?email=a@b.example", headers=CLIENT, timeout=10).status_code == 200
        spans = [(name, span) for name, span in receiver.wait_for(4) if span.trace_id.hex() == TRACE]
        line = next(json.loads(text) for text in users.log.read_text().splitlines() if TRACE in text)
    by_name = {(name, span.kind, span.name): span for name, span in spans}
    server = by_name["api-gateway", 2, "GET /api/users"]
    client = by_name["api-gateway", 3, "GET"]
    behind = by_name["user-service", 2, "GET /users"]
    (command,) = [span for (name, kind, _), span in by_name.items() if (name, kind) == ("user-service", 3)]
    assert server.parent_span_id.hex() == PARENT
    assert [client.parent_span_id, behind.parent_span_id, command.parent_span_id] == [
        server.span_id,
        client.span_id,
        behind.span_id,
    ]
    assert attributes(behind)["http.route"] == "/users"
    assert attributes(behind)["http.response.status_code"] == 200
    assert attributes(command)["db.system.name"] == "redis"
    assert attributes(client)["url.full"] == f"{users.url}/users", "its query holds an address"
    assert attributes(client)["network.protocol.version"] == "1.1"
    assert "http.request.resend_count" not in attributes(client)
    assert line["span_id"] == behind.span_id.hex()
    assert "a@b.example" not in str(spans), "no query goes into a span"


def test_a_span_names_the_address_that_answered(tmp_path: Path, users_service: Service, receiver: Receiver) -> None:
    routes = tmp_path / "routes.yaml"
    things = f"{{url: 'http://things:{users_service.port}', addresses: [127.0.0.1, 127.0.0.2]}}"
    routes.write_text(f"upstreams:\n  things: {things}\nroutes:\n- {{prefix: /things, upstream: things}}\n")
    with service(
        "gateway_site",
        tmp_path,
        ROUTES=str(routes),
        USER_SERVICE_URL=users_service.url,
        AUTH="none",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        **QUICK,
    ) as gateway:
        requests.get(f"{gateway.url}/things", headers=CLIENT, timeout=10)
        client = next(span for _, span in receiver.wait_for(2) if span.kind == 3)
    assert attributes(client)["network.peer.address"] == "127.0.0.1"
    assert attributes(client)["server.address"] == "things"


def test_queued_spans_are_sent_at_shutdown(tmp_path: Path, shared_store: Store, receiver: Receiver) -> None:
    with traced_pair(tmp_path, shared_store, receiver.url, OTEL_BSP_SCHEDULE_DELAY="60000") as (gateway, _):
        requests.get(f"{gateway.url}/api/users/x", timeout=10)
    assert {name for name, _ in receiver.wait_for(3)} == {"api-gateway", "user-service"}


def test_the_standard_variables_sample(tmp_path: Path, shared_store: Store, receiver: Receiver) -> None:
    with traced_pair(tmp_path, shared_store, receiver.url, OTEL_TRACES_SAMPLER="always_off") as (gateway, _):
        for _ in range(5):
            assert requests.get(f"{gateway.url}/api/users/x", timeout=10).status_code == 404
    assert receiver.spans == []


def test_an_unsampled_trace_is_propagated_as_unsampled(tmp_path: Path, shared_store: Store, receiver: Receiver) -> None:
    with traced_pair(tmp_path, shared_store, receiver.url) as (gateway, users):
        headers = {"traceparent": CLIENT["traceparent"][:-1] + "0"}
        requests.get(f"{gateway.url}/api/users/x", headers=headers, timeout=10)
        users.stop()  # and with it all that it logs is there
        line = next(json.loads(text) for text in users.log.read_text().splitlines() if TRACE in text)
    assert line["trace_id"] == TRACE
    assert receiver.spans == []


def test_an_unknown_method_names_no_span(tmp_path: Path, shared_store: Store, receiver: Receiver) -> None:
    with traced_pair(tmp_path, shared_store, receiver.url) as (gateway, _):
        requests.request("BREW", f"{gateway.url}/api/users", headers=CLIENT, timeout=10)
        spans = [span for _, span in receiver.wait_for(3)]
    assert {span.name for span in spans} == {"HTTP /api/users", "HTTP", "HTTP /users"}
    assert {attributes(span)["http.request.method"] for span in spans} == {"_OTHER"}


def test_an_unmatched_path_has_no_route(tmp_path: Path, shared_store: Store, receiver: Receiver) -> None:
    with traced_pair(tmp_path, shared_store, receiver.url) as (gateway, _):
        requests.get(f"{gateway.url}/nowhere", headers=CLIENT, timeout=10)
        (span,) = [span for _, span in receiver.wait_for(1)]
    assert (span.name, attributes(span)["http.response.status_code"]) == ("GET", 404)
    assert "http.route" not in attributes(span)
    assert (attributes(span)["server.address"], attributes(span)["server.port"]) == ("127.0.0.1", gateway.port)


def test_an_unreachable_store_is_an_error_of_its_span(tmp_path: Path, receiver: Receiver) -> None:
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **QUICK}
    with service("users_site", tmp_path, REDIS_URL="redis://127.0.0.1:1/0", **otel) as users:
        assert requests.get(f"{users.url}/users/{UNKNOWN}", timeout=10).status_code == 503
    spans = {span.kind: span for _, span in receiver.wait_for(2)}
    assert [spans[kind].status.code for kind in (2, 3)] == [2, 2]
    assert attributes(spans[3])["error.type"] == "refused"
    assert attributes(spans[2])["error.type"] == "store-unavailable"


def test_a_collector_that_hangs_delays_no_shutdown(tmp_path: Path, shared_store: Store) -> None:
    silent = Receiver(delay=60)
    with traced_pair(tmp_path, shared_store, silent.url) as (gateway, users):
        for _ in range(30):
            requests.get(f"{gateway.url}/api/users/x", timeout=10)
        started = time.monotonic()
        assert (gateway.stop(), users.stop()) == (0, 0)
        assert time.monotonic() - started < 10
    silent.server.shutdown()
    silent.server.server_close()


@pytest.mark.parametrize("collector", ["gone", "slow"])
def test_an_unreachable_collector_delays_no_request(tmp_path: Path, shared_store: Store, collector: str) -> None:
    slow = Receiver(delay=5)
    endpoint = slow.url if collector == "slow" else f"http://127.0.0.1:{free_port()}"
    with traced_pair(tmp_path, shared_store, endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="1") as (gateway, _):
        for _ in range(30):
            answer = requests.get(f"{gateway.url}/api/users/x", timeout=10)
            assert answer.status_code == 404
            assert answer.elapsed.total_seconds() < 2
    slow.server.shutdown()
    slow.server.server_close()


def test_a_scrape_for_openmetrics_has_the_trace_as_exemplar(
    tmp_path: Path, shared_store: Store, receiver: Receiver
) -> None:
    with traced_pair(tmp_path, shared_store, receiver.url) as (gateway, _):
        requests.get(f"{gateway.url}/api/users/x", headers=CLIENT, timeout=10)
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        assert f'trace_id="{TRACE}"' in requests.get(f"{gateway.url}/metrics", headers=accept, timeout=10).text


def test_without_tracing_the_clients_trace_is_forwarded_unchanged(
    users_service: Service, gateway_service: Service
) -> None:
    requests.get(f"{gateway_service.url}/api/users/x", headers=CLIENT, timeout=10)
    assert "trace_id" not in users_service.log.read_text()
