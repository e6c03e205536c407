"""The server span of a request, by OpenTelemetry's semantic conventions. Used only if tracing is on."""

from contextlib import AbstractContextManager
from typing import Any

from django.http.request import split_domain_port

from common.http.request import UNMATCHED, Request
from common.observability import tracing


def server_span(request: Request) -> AbstractContextManager[Any]:
    """The span of a request; continues the client's trace (W3C Trace Context). `finish` sets its name and status."""
    server, port = split_domain_port(request.origin.host)
    attributes: dict[str, Any] = {
        "http.request.method": tracing.known(request.method),
        "url.path": request.path,
        "url.scheme": request.origin.scheme,
        "network.protocol.version": request.scope["http_version"],
        "server.address": server,
        "client.address": request.remote_addr,
        "user_agent.original": request.header(b"user-agent") or "",
    }
    if port:
        attributes["server.port"] = int(port)
    if request.method not in tracing.METHODS:
        attributes["http.request.method_original"] = request.method[:32]
    carried = ((name, request.header(name.encode())) for name in ("traceparent", "tracestate"))
    parent = {name: value for name, value in carried if value is not None}
    return tracing.server_span(tracing.name(request.method), attributes, parent)


def finish(span: Any, request: Request, status: int | None) -> None:
    """Sets name, route and status; None: the client disconnected before the answer."""
    if not span.is_recording():
        return
    if request.route != UNMATCHED:
        span.update_name(f"{tracing.name(request.method)} {request.route}")
        span.set_attribute("http.route", request.route)
    if status is None:
        span.set_attribute("error.type", "client_disconnected")
    else:
        tracing.set_status(span, status, error=(request.code or str(status)) if status >= 500 else None)
