"""One trace from client to Redis, received by an OTLP server: the protocol's own messages, over HTTP."""

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.http_server import Handler, http_server
from tests.log_lines import waited_for
from tools.processes.cluster import until
from tools.processes.service import Service, free_port, service
from tools.processes.store import Store

pytestmark = pytest.mark.slow

PARENT = "00f067aa0ba902b7"
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
SECONDS = 10


class Receiver:
    """The OTLP server at `url`: keeps every span that it is sent, as (service, span)."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        self.url = ""

    def wait_for(self, count: int, trace: str) -> list[tuple[str, Any]]:
        """The spans of one trace."""

        def found() -> list[tuple[str, Any]]:
            return [(name, span) for name, span in self.spans if span.trace_id.hex() == trace]

        until(lambda: len(found()) >= count)
        return found()


@contextmanager
def receiving(delay: float = 0) -> Iterator[Receiver]:
    receiver = Receiver()

    class Collector(Handler):
        def do_POST(self) -> None:
            body = self.body()
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            time.sleep(delay)
            for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {a.key: a.value.string_value for a in batch.resource.attributes}
                receiver.spans.extend((names["service.name"], s) for scope in batch.scope_spans for s in scope.spans)
            self.answer(200)

    with http_server(Collector) as receiver.url:
        yield receiver


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, shared_store: Store, receiver: Receiver
) -> Iterator[tuple[Service, Service]]:
    """Gateway and user service; at /things the gateway finds the user service at two addresses."""
    folder = tmp_path_factory.mktemp("traced")
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **QUICK}
    with service("users_site", folder, REDIS_URL=shared_store.url, **otel) as users:
        things = f"{{url: 'http://things:{users.port}', addresses: [127.0.0.1, 127.0.0.2]}}"
        (folder / "routes.yaml").write_text(
            f"upstreams:\n  things: {things}\nroutes:\n- {{prefix: /things, upstream: things}}\n"
        )
        settings = {"USER_SERVICE_URL": users.url, "ROUTES": str(folder / "routes.yaml"), "AUTH": "none"}
        with service("gateway_site", folder, **settings, **otel) as gateway:
            yield gateway, users


@contextmanager
def traced(folder: Path, users: Service, endpoint: str, **otel: str) -> Iterator[Service]:
    """A gateway of its own, before a user service that traces nothing."""
    settings = {"USER_SERVICE_URL": users.url, "AUTH": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **QUICK, **otel}
    with service("gateway_site", folder, **settings) as gateway:
        yield gateway


@pytest.fixture
def trace() -> str:
    """The trace that a client has begun."""
    return uuid4().hex


def ask(
    gateway: Service, path: str, trace: str = "", method: str = "GET", *, sampled: str = "01", **headers: str
) -> requests.Response:
    fields = headers | ({"traceparent": f"00-{trace}-{PARENT}-{sampled}"} if trace else {})
    return requests.request(method, gateway.url + path, headers=fields, timeout=SECONDS)


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_one_trace_from_client_to_redis(pair: tuple[Service, Service], receiver: Receiver, trace: str) -> None:
    gateway, users = pair
    requests.get(f"{users.url}/health/ready", timeout=SECONDS)  # the first use of a store asks for its layout too
    assert ask(gateway, "/api/users?email=a@b.example", trace).status_code == 200
    spans = receiver.wait_for(4, trace)
    by_name = {(name, span.kind, span.name): span for name, span in spans}
    server = by_name["api-gateway", 2, "GET /api/users"]
    forwarded = by_name["api-gateway", 3, "GET"]
    behind = by_name["user-service", 2, "GET /users"]
    (command,) = [span for (name, kind, _), span in by_name.items() if (name, kind) == ("user-service", 3)]
    assert server.parent_span_id.hex() == PARENT
    assert [forwarded.parent_span_id, behind.parent_span_id, command.parent_span_id] == [
        server.span_id,
        forwarded.span_id,
        behind.span_id,
    ]
    assert attributes(behind)["http.route"] == "/users"
    assert attributes(behind)["http.response.status_code"] == 200
    stored = {"db.system.name": "redis", "db.operation.name": command.name, "users.operation": "find"}
    assert (command.name, attributes(command)) == ("EVALSHA_RO", stored)
    assert attributes(forwarded)["url.full"] == f"{users.url}/users", "its query holds an address"
    assert attributes(forwarded)["network.protocol.version"] == "1.1"
    assert "http.request.resend_count" not in attributes(forwarded)
    (line,) = waited_for(users, lambda line: line.get("trace_id") == trace)
    assert line["span_id"] == behind.span_id.hex()
    assert "a@b.example" not in str(spans), "no query goes into a span"


def test_a_span_names_the_address_that_answered(pair: tuple[Service, Service], receiver: Receiver, trace: str) -> None:
    ask(pair[0], "/things", trace)
    forwarded = next(span for name, span in receiver.wait_for(3, trace) if (name, span.kind) == ("api-gateway", 3))
    assert attributes(forwarded)["network.peer.address"] in {"127.0.0.1", "127.0.0.2"}
    assert attributes(forwarded)["server.address"] == "things"


def test_an_unsampled_trace_is_propagated_as_unsampled(
    pair: tuple[Service, Service], receiver: Receiver, trace: str
) -> None:
    gateway, users = pair
    ask(gateway, "/api/users/x", trace, sampled="00")
    later = uuid4().hex
    ask(gateway, "/api/users/x", later)
    receiver.wait_for(3, later)
    assert receiver.wait_for(0, trace) == []
    assert waited_for(users, lambda line: line.get("trace_id") == trace)


def test_an_unknown_method_names_no_span(pair: tuple[Service, Service], receiver: Receiver, trace: str) -> None:
    ask(pair[0], "/api/users", trace, "BREW")
    spans = [span for _, span in receiver.wait_for(3, trace)]
    assert {span.name for span in spans} == {"HTTP /api/users", "HTTP", "HTTP /users"}
    assert {attributes(span)["http.request.method"] for span in spans} == {"_OTHER"}


def test_an_unmatched_path_has_no_route(pair: tuple[Service, Service], receiver: Receiver, trace: str) -> None:
    gateway, _ = pair
    ask(gateway, "/nowhere", trace)
    ((_, span),) = receiver.wait_for(1, trace)
    assert (span.name, attributes(span)["http.response.status_code"]) == ("GET", 404)
    assert "http.route" not in attributes(span)
    assert (attributes(span)["server.address"], attributes(span)["server.port"]) == ("127.0.0.1", gateway.port)


def test_a_scrape_for_openmetrics_has_the_trace_as_exemplar(pair: tuple[Service, Service], trace: str) -> None:
    ask(pair[0], "/api/users/x", trace)
    scraped = ask(pair[0], "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert f'trace_id="{trace}"' in scraped.text


def test_an_unreachable_store_is_an_error_of_its_span(tmp_path: Path, receiver: Receiver, trace: str) -> None:
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **QUICK}
    with service("users_site", tmp_path, REDIS_URL="redis://127.0.0.1:1/0", **otel) as users:
        assert ask(users, f"/users/{UNKNOWN}", trace).status_code == 503
        spans = {span.kind: span for _, span in receiver.wait_for(2, trace)}
    assert [spans[kind].status.code for kind in (2, 3)] == [2, 2]
    assert attributes(spans[3])["error.type"] == "refused"
    assert attributes(spans[2])["error.type"] == "store-unavailable"


@pytest.mark.parametrize(("sampler", "sent"), [("always_on", 2), ("always_off", 0)])
def test_the_standard_variables_sample_and_queued_spans_are_sent_at_shutdown(
    tmp_path: Path, users_service: Service, sampler: str, sent: int
) -> None:
    otel = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    with receiving() as receiver:
        with traced(tmp_path, users_service, receiver.url, **otel) as gateway:
            assert ask(gateway, "/api/users/x").status_code == 404
        assert len(receiver.spans) == sent


@pytest.mark.parametrize("is_there", [False, True], ids=["gone", "hangs"])
def test_a_collector_delays_no_request_and_no_shutdown(
    tmp_path: Path, users_service: Service, *, is_there: bool
) -> None:
    with receiving(delay=60) as hung:
        endpoint = hung.url if is_there else f"http://127.0.0.1:{free_port()}"
        with traced(tmp_path, users_service, endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="1") as gateway:
            for _ in range(30):
                answer = ask(gateway, "/api/users/x")
                assert answer.status_code == 404
                assert answer.elapsed.total_seconds() < 2
            started = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - started < 10


def test_without_tracing_the_clients_trace_is_forwarded_unchanged(
    users_service: Service, gateway_service: Service, trace: str
) -> None:
    ask(gateway_service, "/api/users/x", trace)
    assert "trace_id" not in users_service.log.read_text()
