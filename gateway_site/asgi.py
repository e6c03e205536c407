"""The gateway as an ASGI application: the one module that wires it."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings

from common.http.application import Application, Step
from common.http.metrics import metrics_view
from common.http.views import View
from common.observability import metrics
from common.observability.json_logging import mask
from gateway_site import pages, urls
from gateway_site.forwarding.door import Door
from gateway_site.forwarding.headers import FROM_CLIENT, FROM_CLIENT_WITHOUT_CREDENTIALS
from gateway_site.forwarding.reload import Reloader
from gateway_site.forwarding.service import Service
from gateway_site.forwarding.view import Forward, in_maintenance
from gateway_site.guard.cors import Cors
from gateway_site.guard.scrape import closed_to_proxies
from gateway_site.routes.table import Route

if TYPE_CHECKING:
    from gateway_site.guard.guard import Guard


def build(settings: Any) -> Application:
    """Opens no connection. Raises ImproperlyConfigured."""
    dropped = FROM_CLIENT_WITHOUT_CREDENTIALS if settings.AUTH else FROM_CLIENT
    protect, close_guard = _guard(settings)

    def view(route: Route, services: dict[str, Service]) -> View:
        if route.maintenance:
            return protect(route, partial(in_maintenance, route.maintenance))
        bounds = {"max_body": settings.MAX_BODY_BYTES, "max_answer": settings.MAX_ANSWER_BYTES}
        return protect(route, Forward(route, services, dropped=dropped, **bounds).serve)

    door = Door(settings.ROUTES, view)
    if settings.ROUTES_FILE:
        metrics.samplers.append(Reloader(settings.ROUTES_SOURCE, door, settings.LONGEST_MS).look)
    return Application(
        urls.urlpatterns(_index(door, settings), closed_to_proxies(metrics_view(()))),
        find=door.find,
        probes=door.probes,
        ready_when=any,
        on_stop=[close_guard, door.close],
        opening=Cors(settings.CORS_ALLOWED_ORIGINS).open if settings.CORS_ALLOWED_ORIGINS else None,
        in_force=_in_force(settings),
    )


def _guard(settings: Any) -> tuple[Callable[[Route, View], View], Step]:
    """A function that puts the guard around a route's view, and what to await once the server has stopped."""
    built: list[Guard] = []

    def protect(route: Route, view: View) -> View:
        if not (settings.AUTH or settings.RATE_LIMIT or route.rate_limit):
            return view
        if not built:
            from gateway_site.guard.build import build_guard

            built.append(build_guard(settings))
        return built[0].protect(route, view)

    async def close() -> None:
        for guard in built:
            await guard.close()

    return protect, close


def _index(door: Door, settings: Any) -> View:
    if not settings.STATUS_PAGE:
        return pages.index
    from gateway_site.status.history import History
    from gateway_site.status.page import StatusPage

    history = History()
    metrics.samplers.append(history.sample)
    return StatusPage(door, history, settings.WEB_CONCURRENCY).index


def _in_force(settings: Any) -> dict[str, object]:
    return {
        "user_service": settings.USER_SERVICE_URL,
        "routes": {route.prefix: route.upstream for route in settings.ROUTES.routes},
        "timeout_ms": settings.UPSTREAM_TIMEOUT_MS,
        "connect_timeout_ms": settings.UPSTREAM_CONNECT_TIMEOUT_MS,
        "auth": ",".join(settings.AUTH) or "none",
        "rate_limit": str(settings.RATE_LIMIT or "none"),
        "rate_limit_store": mask(settings.RATE_LIMIT_STORE),
        "trusted_proxies": [str(network) for network in settings.TRUSTED_PROXIES],
    }


def application() -> Application:
    """The server's entry point: `gunicorn gateway_site.asgi:application()`."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway_site.settings"
    django.setup(set_prefix=False)
    return build(settings)
