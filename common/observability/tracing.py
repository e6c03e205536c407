"""OpenTelemetry traces. They are off, and cost nothing, unless OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) is
set.

One trace from client to Redis: a server span here, a client span in the gateway, one per command in the user service. The
SDK's thread exports spans in batches through a bounded queue: a slow or lost collector loses spans and delays no request.
Sampling, resource and endpoint are the SDK's standard variables. Nothing of OpenTelemetry is imported while this is off.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FLUSH_SECONDS = 2.0

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""The methods that are called by their name, in metrics too: others are chosen by clients."""

is_on = False
"""Whether this process traces, from `start` on."""

_provider: Any = None
_tracer: Any = None


def start(service: str, version: str) -> None:
    """Makes the provider and its exporting thread; in the worker, after the fork (opentelemetry-python#3307)."""
    global is_on, _provider, _tracer
    if _provider is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over ours.
    resource = Resource.create({"service.name": service, "service.version": version}).merge(
        OTELResourceDetector().detect()
    )
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # `stop` does that, within a bound
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer("users-gateway", version)
    is_on = True


def stop() -> None:
    """Sends the queued spans and ends the thread, within `FLUSH_SECONDS`. Blocks: call it in a thread.

    The SDK's own time-outs bound neither (opentelemetry-python#4568), so a daemon thread does it.
    """
    if _provider is not None:
        sending = threading.Thread(target=_provider.shutdown, daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS)


@contextmanager
def server_span(name: str, attributes: dict[str, Any], carrier: dict[str, str]) -> Iterator[Any]:
    """The span of a request, current while it is served; continues the trace of `carrier`."""
    from opentelemetry import context as contexts
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = contexts.Context()
    if carrier:
        parent = TraceContextTextMapPropagator().extract(carrier, parent)
    span = _tracer.start_span(name, parent, SpanKind.SERVER, attributes)
    token = contexts.attach(set_span_in_context(span, parent))
    try:
        yield span
    finally:
        contexts.detach(token)
        span.end()


@contextmanager
def client_span(name: str, attributes: dict[str, Any]) -> Iterator[Any]:
    """The span of a call to a dependency. It does not become the current span."""
    from opentelemetry.trace import SpanKind, StatusCode, get_current_span

    parent = get_current_span()
    if not parent.is_recording():  # no sampler that can be set would keep a child of it
        yield parent
        return
    span = _tracer.start_span(name, None, SpanKind.CLIENT, attributes)
    try:
        yield span
    except BaseException as error:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", getattr(error, "reason", None) or type(error).__qualname__)
        raise
    finally:
        span.end()


@contextmanager
def store_span(operation: str, command: str) -> Iterator[Any]:
    attributes = {"db.system.name": "redis", "db.operation.name": command, "users.operation": operation}
    with client_span(command, attributes) as span:
        yield span


def set_status(span: Any, status: int, *, error: str | None) -> None:
    """Sets the status of an answer; `error`: the `error.type`, if it is an error."""
    from opentelemetry.trace import StatusCode

    if span.is_recording():
        span.set_attribute("http.response.status_code", status)
        if error is not None:
            span.set_status(StatusCode.ERROR)
            span.set_attribute("error.type", error)


def name(method: str) -> str:
    """The name of a span for its method, from a closed set."""
    return method if method in METHODS else "HTTP"


def known(method: str) -> str:
    return method if method in METHODS else "_OTHER"


def injected(span: Any) -> list[tuple[bytes, bytes]]:
    """The header fields that propagate a span."""
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
    return [(field.encode(), value.encode()) for field, value in carrier.items()]


def ids() -> dict[str, str]:
    """`trace_id` and `span_id` of the current span for a log line, or nothing."""
    if not is_on:
        return {}
    context = _current_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"} if context.is_valid else {}


def exemplar() -> dict[str, str] | None:
    """The current trace as a metric's exemplar, if it is sampled."""
    context = _current_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid and context.trace_flags.sampled else None


def _current_context() -> Any:
    from opentelemetry.trace import get_current_span

    return get_current_span().get_span_context()
