"""OpenTelemetry, off unless OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) is set, and then free of cost.

One trace from client to Redis: a server span here, a client span in the gateway, one a command in the user service, named
as the semantic conventions (1.27) have it. Spans are exported in batches by a thread of the SDK, through a queue with a
bound: a collector that is slow, down or gone loses spans and costs no request anything. Sampling, resource and endpoint
are the SDK's standard variables. Of a trace that is not sampled there is the server span alone: no sampler that can be set
so would keep a child of it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from common.http.methods import METHODS

if TYPE_CHECKING:
    from common.http.request import Request

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_SECONDS = 2.0

is_on = any(os.environ.get(name) for name in ENDPOINTS) and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
"""Whether this process traces. What is hot asks this first."""

if is_on:
    from opentelemetry import context as contexts
    from opentelemetry.trace import SpanKind, StatusCode, get_current_span, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()

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
    resource = Resource.create({**named, "service.version": version})
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # `stop` does that, within a bound
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer("users-gateway", version)


def stop() -> None:
    """Sends what waits and ends the thread, within `FLUSH_SECONDS`. Blocks: call it in a thread.

    The SDK's own time-outs bound neither (opentelemetry-python#4568), so a thread that nobody waits for does it.
    """
    if _provider is not None:
        sending = threading.Thread(target=_provider.shutdown, daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS)


@contextmanager
def server_span(request: "Request") -> Iterator[Any]:
    """The span of a request that is served; continues the client's trace (W3C Trace Context). Name and status: `finish`."""
    carrier = {
        field: value for field in ("traceparent", "tracestate") if (value := request.header(field.encode())) is not None
    }
    parent = propagator.extract(carrier, contexts.Context()) if carrier else contexts.Context()
    span = _tracer.start_span(
        name(request.method),
        parent,
        SpanKind.SERVER,
        {
            "http.request.method": known(request.method),
            "url.path": request.path,
            "url.scheme": request.scope["scheme"],
            "client.address": request.remote_addr,
            "user_agent.original": request.header(b"user-agent") or "",
        },
    )
    token = contexts.attach(set_span_in_context(span, parent))
    try:
        yield span
    finally:
        contexts.detach(token)
        span.end()


def finish(span: Any, request: "Request", status: int) -> None:
    """Name, route and status of a served request, known only at its end."""
    if not span.is_recording():
        return
    span.update_name(f"{name(request.method)} {request.route}")
    span.set_attribute("http.route", request.route)
    _set_status(span, status, failed=status >= 500)


def name(method: str | None) -> str:
    """What a span is called for its method: from a closed set, as the semantic conventions want it."""
    return method if method in METHODS else "HTTP"


def known(method: str | None) -> str:
    """The method as an attribute, from a closed set too."""
    return method if method in METHODS else "_OTHER"


@contextmanager
def client_span(method: str, url: str, host: str, port: int) -> Iterator[Any]:
    """The span of an upstream request, which sends `injected(span)`; `url` without its query, which may hold an address."""
    attributes = {
        "http.request.method": known(method),
        "server.address": host,
        "server.port": port,
        "url.full": url,
    }
    with _child(name(method), attributes) as span:
        yield span


def answered(span: Any, status: int) -> None:
    """The status of an upstream request's answer; for a client, 4xx is an error too."""
    if span.is_recording():
        _set_status(span, status, failed=status >= 400)


@contextmanager
def store_span(operation: str, command: str) -> Iterator[Any]:
    """The span of one Redis command."""
    attributes = {"db.system.name": "redis", "db.operation.name": command, "users.operation": operation}
    with _child(command, attributes) as span:
        yield span


@contextmanager
def _child(called: str, attributes: dict[str, Any]) -> Iterator[Any]:
    # Not made the current span: what needs it has it in its hand.
    parent = get_current_span()
    if not parent.is_recording():
        yield parent
        return
    span = _tracer.start_span(called, None, SpanKind.CLIENT, attributes)
    try:
        yield span
    except BaseException as error:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", type(error).__qualname__)
        raise
    finally:
        span.end()


def injected(span: Any) -> list[tuple[bytes, bytes]]:
    """The header fields that carry a span on."""
    carrier: dict[str, str] = {}
    propagator.inject(carrier, set_span_in_context(span))
    return [(field.encode(), value.encode()) for field, value in carrier.items()]


def ids() -> dict[str, str]:
    """`trace_id` and `span_id` of the current span for a log line, or nothing."""
    if not is_on:
        return {}
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def exemplar() -> dict[str, str] | None:
    """The current trace as a metric's exemplar, if it is sampled."""
    context = get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid and context.trace_flags.sampled else None


def _set_status(span: Any, status: int, *, failed: bool) -> None:
    span.set_attribute("http.response.status_code", status)
    if failed:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", str(status))
