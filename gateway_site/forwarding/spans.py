"""The client span of a request to an upstream, by OpenTelemetry's semantic conventions. Used only if tracing is on."""

from contextlib import AbstractContextManager
from typing import Any

from common.observability import tracing
from gateway_site.routes.table import Upstream
from packages.http_pool import Answer, Outgoing


def client_span(upstream: Upstream, request: Outgoing, attempt: int) -> AbstractContextManager[Any]:
    """Its URL has no query, which may contain an email."""
    host, port = upstream.address
    attributes = {
        "http.request.method": tracing.known(request.method),
        "server.address": host,
        "server.port": port,
        "url.full": upstream.url + request.target.partition(b"?")[0].decode("latin-1"),
        "network.protocol.version": "1.1",
    }
    if attempt > 1:
        attributes["http.request.resend_count"] = attempt - 1
    return tracing.client_span(tracing.name(request.method), attributes)


def injected(span: Any, request: Outgoing) -> Outgoing:
    """The request with the span's context: the upstream continues it, not the client's."""
    kept = [field for field in request.headers if field[0] not in {b"traceparent", b"tracestate"}]
    return request._replace(headers=kept + tracing.injected(span))


def finish(span: Any, answer: Answer) -> None:
    if answer.address:
        span.set_attribute("network.peer.address", answer.address)
    # For a client, 4xx is an error too.
    tracing.set_status(span, answer.status, error=str(answer.status) if answer.status >= 400 else None)
