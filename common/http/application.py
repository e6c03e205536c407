"""The ASGI application of both sites: one task a request, no thread.

Django's stock handler costs 833 µs a request, most of it thread hops (docs/explanation/performance.md).
This one keeps URL resolution, problems for exceptions and body limits, and has no middleware.
When a client disconnects, the server cancels the task.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.http.request import split_domain_port, validate_host

from common.http import deadline, problems, request_id
from common.http.overload import MAX_IN_FLIGHT, refuse
from common.http.problems import Problem
from common.http.request import ClientGone, Request
from common.http.response import Headers
from common.http.routing import Patterns, Routes
from common.http.urls import service_urlpatterns
from common.observability import tracing
from common.observability.access import record
from common.observability.load import in_flight
from common.observability.metrics import sample
from common.server.refusal import Refusal

CLIENT_CLOSED_REQUEST = 499
"""The status that log and metrics show when nobody was there to read one (nginx's number)."""

UNGUARDED = ("/health", "/metrics")
"""Probes answer whatever the Host header (kubernetes/kubernetes#14713) and however many requests are in flight."""

NO_SNIFFING, NO_STORE = (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")


Step = Callable[[], Awaitable[None]]


class Application:
    """One site as an ASGI application.

    `probes`: the dependencies that /health/ready tests; each returns when its dependency answers, else raises.
    `before_scrape`: awaited before each /metrics. `on_stop`: awaited in order once the server has stopped.
    Raises ImproperlyConfigured for a synchronous view.
    """

    def __init__(
        self,
        urlpatterns: Patterns,
        *,
        probes: Mapping[str, Step],
        before_scrape: Iterable[Step] = (),
        on_stop: Iterable[Step] = (),
    ) -> None:
        if settings.MIDDLEWARE:
            raise ImproperlyConfigured("MIDDLEWARE is not supported: wrap a view in urls.py instead")
        self.urlpatterns = (*urlpatterns, *service_urlpatterns(probes, tuple(before_scrape)))
        self.on_stop = tuple(on_stop)
        self.routes = Routes(self.urlpatterns)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            await self.serve(scope, receive, send)
        else:
            await self.lifespan(receive, send)

    async def serve(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """One request, within its trace where this process traces."""
        started = time.perf_counter()
        request = Request(scope, receive, started, self.urlpatterns)
        request_id.current.set(request.request_id)
        deadline.start(request.raw_headers.get(deadline.HEADER), started)
        if not tracing.is_on or request.path.startswith(UNGUARDED):  # probes would be most of all traces
            await self.exchange(request, send)
            return
        with tracing.server_span(request) as span:
            await self.exchange(request, send, span)

    async def exchange(self, request: Request, send: ASGISendCallable, span: Any = None) -> None:
        """From head to last byte, with its log line and metrics."""
        status, sent = CLIENT_CLOSED_REQUEST, 0
        in_flight.count += 1
        try:
            response = await self.answer(request)
            sent = await deliver(request, response, send)
            status = response.status_code
        except ClientGone:
            # Not answered: the server closes the connection, whose body was never complete.
            return
        except Exception as error:
            # The answer broke off after its head: all that is left is to close the connection, which the server does.
            status = problems.KINDS[problems.from_exception(error).code].status
        finally:
            in_flight.count -= 1
            record(request, status, sent, time.perf_counter() - request.started)
            if span is not None:
                tracing.finish(span, request, status)

    async def answer(self, request: Request) -> HttpResponse:
        """The site's answer; every exception but cancellation becomes a problem."""
        try:
            admit(request)
            if in_flight.count > MAX_IN_FLIGHT and not request.path.startswith(UNGUARDED):
                await refuse()
            view, kwargs = self.route(request)
            response: HttpResponse = await view(request, **kwargs)
        except ClientGone:
            raise
        except Exception as error:
            response = problems.response(request, problems.from_exception(error))
        return response

    def route(self, request: Request) -> tuple[Callable[..., Any], dict[str, Any]]:
        """The view for the request's path and its path parameters. Raises Http404."""
        match = self.routes.find(request.path_info)
        if match is None:
            found = request.resolver_match
            request.route = template(found.route)
            return found.func, found.kwargs
        request.route = match.template
        return match.view, match.kwargs

    async def lifespan(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """The lifespan protocol: starts tracing and sampling; at the end closes connections and sends spans."""
        await receive()
        tracing.start(settings.SERVICE, settings.APP_VERSION)
        sampling = asyncio.create_task(sample())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sampling.cancel()
        for stop in self.on_stop:
            await stop()
        await asyncio.to_thread(tracing.stop)
        await send({"type": "lifespan.shutdown.complete"})


def admit(request: Request) -> None:
    """Refuses what no view should see. Raises Problem."""
    refusal: Any = (request.scope["extensions"] or {}).get("refusal")
    if refusal is not None:
        raise Refusal(**refusal)
    if request.path.startswith(UNGUARDED):
        return
    if not host_is_allowed(request.raw_headers.get(b"host", b"")):
        raise Problem("malformed-request", "The Host header names no host of this service.")


@lru_cache(maxsize=256)
def template(route: str) -> str:
    """`users/<uuid:id>` → `/users/{id}`."""
    return "/" + re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", route)


@lru_cache(maxsize=1024)
def host_is_allowed(host: bytes) -> bool:
    """Whether the Host header (RFC 9110 §7.2) is well-formed and names a host of ALLOWED_HOSTS."""
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


async def deliver(request: Request, response: HttpResponse, send: ASGISendCallable) -> int:
    """Sends the answer; returns the bytes of body that went out."""
    headers = head(request, response)
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers, "trailers": False})
    if response.streaming:
        return await stream(response, send)
    body = b"" if request.method == "HEAD" else response.content
    await send({"type": "http.response.body", "body": body, "more_body": False})
    return len(body)


async def stream(response: Any, send: ASGISendCallable) -> int:
    """Sends the chunks as they come; what they come from is closed whatever happens."""
    sent = 0
    try:
        async for chunk in response:
            sent += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        closing = getattr(response, "aclose", None)
        if closing is not None:
            await asyncio.shield(closing())
    return sent


def head(request: Request, response: HttpResponse) -> Headers:
    """The answer's header fields with those that every answer carries."""
    raw = getattr(response, "head", None)
    if raw is not None:
        headers = list(raw())
    else:
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    given = dict(headers)
    if b"x-content-type-options" not in given:
        headers.append(NO_SNIFFING)
    if b"cache-control" not in given:
        headers.append(NO_STORE)
    if request_id.HEADER not in given:
        headers.append((request_id.HEADER, request.request_id.encode("ascii")))
    if b"content-length" not in given and not response.streaming and response.status_code not in {204, 304}:
        headers.append((b"content-length", b"%d" % len(response.content)))
    headers += request.answer_fields
    return headers
