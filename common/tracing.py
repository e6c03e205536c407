"""OpenTelemetry, off unless OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) is set, and then free of cost.

One trace from client to Redis: a server span here, a client span in the gateway, one a command in the user service, named
as the semantic conventions (1.27) have it. Spans are exported in batches by a thread of the SDK, through a queue with a
bound: a collector that is slow, down or gone loses spans and costs no request anything. Sampling, resource and endpoint
are the SDK's standard variables.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.request import Request

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_MILLISECONDS = 2000

is_on = any(os.environ.get(name) for name in ENDPOINTS) and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
"""Whether this process traces. What is hot asks this first."""

_provider: Any = None
_tracer: Any = None


def start(service: str, version: str) -> None:
    """Makes the provider and its exporting thread; in the worker, after the fork (opentelemetry-python#3307)."""
    global _provider, _tracer
    if not is_on or _provider is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    _provider = TracerProvider(resource=Resource.create({**named, "service.version": version}))
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer("users-gateway", version)


def stop() -> None:
    """Sends what waits, within a bound, and ends the thread. Blocks: call it in a thread."""
    if _provider is not None:
        _provider.force_flush(FLUSH_MILLISECONDS)
        _provider.shutdown()


@contextmanager
def server_span(request: "Request") -> Iterator[Any]:
    """The span of a request that is served; continues the client's trace (W3C Trace Context). Name and status: `finish`."""
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {name: request.header(name.encode()) or "" for name in ("traceparent", "tracestate")}
    attributes = {
        "http.request.method": request.method or "",
        "url.path": request.path,
        "url.scheme": request.scope["scheme"],
        "client.address": request.remote_addr,
        "user_agent.original": request.header(b"user-agent") or "",
    }
    with _tracer.start_as_current_span(
        request.method,
        context=TraceContextTextMapPropagator().extract(carrier),
        kind=trace.SpanKind.SERVER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def finish(span: Any, request: "Request", status: int) -> None:
    """Name, route and status of a served request, known only at its end."""
    span.update_name(f"{request.method} {request.route}")
    span.set_attribute("http.route", request.route)
    _set_status(span, status, failed=status >= 500)


@contextmanager
def client_span(method: str, host: str, port: int) -> Iterator[Any]:
    """The span of an upstream request; the body of the `with` sends `injected()` with it."""
    from opentelemetry import trace

    attributes = {"http.request.method": method, "server.address": host, "server.port": port}
    with _tracer.start_as_current_span(method, kind=trace.SpanKind.CLIENT, attributes=attributes) as span:
        yield span


def answered(span: Any, status: int) -> None:
    """The status of an upstream request's answer; for a client, 4xx is an error too."""
    _set_status(span, status, failed=status >= 400)


@contextmanager
def store_span(operation: str, command: str) -> Iterator[Any]:
    """The span of one Redis command."""
    from opentelemetry import trace

    attributes = {"db.system.name": "redis", "db.operation.name": command, "users.operation": operation}
    with _tracer.start_as_current_span(command, kind=trace.SpanKind.CLIENT, attributes=attributes) as span:
        yield span


def injected() -> list[tuple[bytes, bytes]]:
    """The header fields that carry the current span on."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return [(name.encode(), value.encode()) for name, value in carrier.items()]


def ids() -> dict[str, str]:
    """`trace_id` and `span_id` of the current span for a log line, or nothing."""
    if not is_on:
        return {}
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def exemplar() -> dict[str, str] | None:
    """The current trace as a metric's exemplar, if it is sampled."""
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid and context.trace_flags.sampled else None


def _set_status(span: Any, status: int, *, failed: bool) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("http.response.status_code", status)
    if failed:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", str(status))
