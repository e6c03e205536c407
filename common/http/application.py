"""The ASGI application of both sites: one task a request, no thread.

Django's stock handler costs 833 µs per request, most of it for thread hops (docs/explanation/performance.md). This one
has URL resolution, problems for exceptions and body limits, and no middleware. When a client disconnects, the server
cancels the task.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404

from common.http import access, problems
from common.http.deadline import HEADER as DEADLINE
from common.http.deadline import start as start_deadline
from common.http.delivery import deliver
from common.http.forwarded import is_allowed
from common.http.health import Step
from common.http.overload import refuse
from common.http.problem import Problem
from common.http.request import CLIENT_CLOSED_REQUEST, ClientGone, Request
from common.http.response import Response
from common.http.routing import Match, Patterns, Routes
from common.http.site import Site
from common.http.urls import service_urlpatterns
from common.observability import metrics, request_id, tracing
from common.observability.load import in_flight
from common.server.refusal import Refusal

logger = logging.getLogger("start")

PERCENT = ord("%")

RESTART_SECONDS = 5.0
"""Delay before a failed background task is started again."""

Task = Callable[[], Coroutine[Any, Any, None]]


class Application:
    """One site as an ASGI application.

    `probes`: the dependencies that /health/ready tests; each returns when its dependency answers, else raises.
    `before_scrape`: awaited before each /metrics. `on_stop`: awaited in order once the server has stopped.
    `background`: run from start to stop, then cancelled; started again after an exception. `samplers`: called twice a second.
    `in_force`: what the start line shows of the site's settings, without secrets.
    `opening`: called first for each request; adds fields to every answer, a refusal's too, or answers itself.
    `find`: asked before the patterns, for paths that may change while the application runs.
    `ready_when`: all or any of the dependencies answer.
    Raises ImproperlyConfigured for a synchronous view.
    """

    def __init__(
        self,
        urlpatterns: Patterns,
        *,
        probes: Mapping[str, Step],
        before_scrape: Iterable[Step] = (),
        on_stop: Iterable[Step] = (),
        background: Iterable[Task] = (),
        samplers: Iterable[Callable[[], None]] = (),
        in_force: Mapping[str, object] | None = None,
        opening: Callable[[Request], Response | None] | None = None,
        find: Callable[[str], Match | None] | None = None,
        ready_when: Callable[[Iterable[bool]], bool] = all,
    ) -> None:
        if settings.MIDDLEWARE:
            raise ImproperlyConfigured("MIDDLEWARE is not supported: wrap a view in urls.py instead")
        patterns = (*urlpatterns, *service_urlpatterns(probes, ready_when, tuple(before_scrape)))
        self.site = Site(settings, patterns)
        self.routes = Routes(patterns)
        self.find = find or self.routes.find
        self.on_stop = tuple(on_stop)
        self.background: tuple[Task, ...] = (partial(metrics.sample, tuple(samplers)), *background)
        self.opening = opening
        self.in_force = {
            "port": settings.PORT,
            "debug": settings.DEBUG,
            "max_in_flight": settings.MAX_IN_FLIGHT,
            "max_body_bytes": settings.MAX_BODY_BYTES,
            "drain_seconds": settings.DRAIN_SECONDS,
            "traces": settings.TRACES,
            **(in_force or {}),
        }
        metrics.BUILD_INFO.labels(settings.SERVICE, settings.APP_VERSION, settings.APP_REVISION).set(1)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            await self.serve(scope, receive, send)
        else:
            await self.lifespan(receive, send)

    async def serve(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """One request, within a span if this process traces."""
        started = time.perf_counter()
        request = Request(scope, receive, self.site, started)
        request_id.current.set(request.request_id)
        start_deadline(request.raw_headers.get(DEADLINE), started)
        if not tracing.is_on or request.path in access.PROBES:  # they would be most of the traces
            await self.exchange(request, send)
            return
        from common.http.spans import finish, server_span

        with server_span(request) as span:
            status = CLIENT_CLOSED_REQUEST
            try:
                status = await self.exchange(request, send)
            finally:
                finish(span, request, None if status == CLIENT_CLOSED_REQUEST else status)

    async def exchange(self, request: Request, send: ASGISendCallable) -> int:
        """From head to last byte, with its log line and metrics. Returns the status."""
        status, sent = CLIENT_CLOSED_REQUEST, 0
        try:
            with in_flight:
                response = await self.answer(request)
                sent = await deliver(request, response, send)
                status = response.status_code
        except ClientGone:
            pass  # no answer: the server closes a connection with an incomplete body
        except Exception as error:
            # The answer broke off after its head: the server closes the connection.
            problem = problems.from_exception(error, self.site)
            request.code, request.reason = problem.code, problem.reason or problem.detail
            status = problem.status
        finally:
            access.record(request, status, sent, time.perf_counter() - request.started)
        return status

    async def answer(self, request: Request) -> Response:
        """The site's answer; every exception but cancellation becomes a problem."""
        try:
            opened = self.opening(request) if self.opening is not None else None
            admit(request)
            if opened is not None:
                return opened
            if in_flight.count > self.site.max_in_flight and request.path not in access.PROBES:
                await refuse(self.site)
            view, kwargs = self.route(request)
            response: Response = await view(request, **kwargs)
        except ClientGone:
            raise
        except Exception as error:
            response = problems.response(request, problems.from_exception(error, self.site))
        return response

    def route(self, request: Request) -> tuple[Callable[..., Any], dict[str, Any]]:
        """The view for the request's path and its path parameters. Raises Http404."""
        raw_path = request.scope["raw_path"]
        if PERCENT in raw_path and b"%2f" in raw_path.lower():  # an encoded slash is not a slash
            raise Http404
        match = self.find(request.path) or self.routes.find(request.path) or self.routes.resolve(request.path)
        request.route = match.template
        return match.view, match.kwargs

    async def lifespan(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """The lifespan protocol: starts tracing and sampling; at the end closes connections and sends spans."""
        await receive()
        if self.site.traces:
            tracing.start(self.site.service, self.site.version)
        tasks = [asyncio.create_task(_kept_running(run)) for run in self.background]
        logger.info("started", extra={"fields": self.in_force})
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        for stop in self.on_stop:
            await stop()
        await asyncio.to_thread(tracing.stop)
        await send({"type": "lifespan.shutdown.complete"})


async def _kept_running(run: Task) -> None:
    """Runs a background task; logs an exception and starts it again."""
    while True:
        try:
            return await run()
        except Exception:
            logger.exception("background task failed")
        await asyncio.sleep(RESTART_SECONDS)


def admit(request: Request) -> None:
    """Refuses requests that no view should see. Raises Problem."""
    refusal: Any = (request.scope.get("extensions") or {}).get("refusal")
    if refusal is not None:
        raise Refusal(**refusal)
    if request.path in access.PROBES:  # kubernetes/kubernetes#14713
        return
    if not is_allowed(request.raw_headers.get(b"host", b""), request.site.allowed_hosts):
        raise Problem("malformed-request", "The Host header names no host of this service.")
