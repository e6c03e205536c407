"""The gateway as an ASGI application: the one module that wires it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from common.config.environment import SettingError
from common.http.application import Application
from common.http.metrics import metrics_view
from common.http.views import View
from common.observability.json_logging import mask
from gateway_site import pages, urls
from gateway_site.forwarding.cache import Cached
from gateway_site.forwarding.compression import Compressed
from gateway_site.forwarding.names import look_up
from gateway_site.forwarding.reload import Reloader
from gateway_site.forwarding.router import MakeView, Router
from gateway_site.forwarding.service import Service
from gateway_site.forwarding.view import Forward, in_maintenance
from gateway_site.guard.api_keys import ApiKeys, why
from gateway_site.guard.cors import Cors
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.guard import Guard
from gateway_site.routes.field_names import CORS, CREDENTIALS, FROM_UPSTREAM, NOT_FORWARDED
from gateway_site.routes.table import Route


def build(settings: Any) -> Application:
    """Opens no connection. Raises ImproperlyConfigured."""
    guard = _guard(settings)
    router = Router(settings.ROUTES, _view_maker(settings, guard), guard.keep)
    index, samplers = _index(router, settings)
    if settings.ROUTES_FILE:
        samplers.append(Reloader(settings.ROUTES_SOURCE, router, settings.LONGEST_MS).check)
    return Application(
        urls.urlpatterns(index, pages.closed_to_proxies(metrics_view(())), router),
        find=router.find,
        probes=router.probes,
        ready_when=any,
        on_stop=[guard.close, router.close],
        background=[partial(look_up, settings.ROUTES.upstreams.values())],
        samplers=[*guard.samplers, *samplers],
        opening=Cors(settings.CORS_ALLOWED_ORIGINS).open if settings.CORS_ALLOWED_ORIGINS else None,
        in_force=_in_force(settings),
    )


def _view_maker(settings: Any, guard: Guard) -> MakeView:
    dropped = NOT_FORWARDED | CREDENTIALS if settings.AUTH else NOT_FORWARDED
    dropped_from_answers = FROM_UPSTREAM | {CORS} if settings.CORS_ALLOWED_ORIGINS else FROM_UPSTREAM
    threads = ThreadPoolExecutor(1, "coding")  # at most as many jobs wait as requests are in flight

    def view(route: Route, services: dict[str, Service]) -> View:
        if route.maintenance:
            return guard.protect(route, partial(in_maintenance, route.maintenance))
        serve: View = Forward(
            route,
            services,
            dropped=dropped,
            dropped_from_answers=dropped_from_answers,
            max_body=settings.MAX_BODY_BYTES,
            max_answer=settings.MAX_ANSWER_BYTES,
        ).serve
        if route.compress:
            serve = Compressed(serve, route.compress, threads).serve
        if route.cache:
            serve = Cached(serve, route.cache, has_credentials=not settings.AUTH).serve
        return guard.protect(route, serve)

    return view


def _guard(settings: Any) -> Guard:
    scopes = set(settings.ROUTES.scopes)
    keys = None
    tokens = None
    shared = None
    if "apikey" in settings.AUTH:
        keys = _keys(settings, scopes)
    if "jwt" in settings.AUTH:
        from gateway_site.guard.tokens import Tokens  # PyJWT and cryptography: 14 MB

        tokens = Tokens(
            settings.AUTH_JWKS_URL,
            issuer=settings.AUTH_ISSUER,
            audience=settings.AUTH_AUDIENCE,
            scope_claims=settings.AUTH_SCOPE_CLAIM,
            known_scopes=scopes,
        )
    if settings.RATE_LIMIT_STORE != "local":
        from gateway_site.guard.limit_store import RedisStore

        shared = RedisStore(settings.RATE_LIMIT_STORE, settings.RATE_LIMIT_STORE_PASSWORD)
    credentials = Credentials(keys, tokens) if settings.AUTH else None
    return Guard(credentials, settings.RATE_LIMIT, scopes=scopes, shared=shared)


def _keys(settings: Any, scopes: set[str]) -> ApiKeys:
    try:
        return ApiKeys(Path(settings.AUTH_API_KEYS_FILE), scopes)
    except (OSError, ValueError) as error:
        cure = "mount a file with the lines that `manage_gateway.py create_api_key` prints"
        raise SettingError(f"AUTH_API_KEYS_FILE cannot be used ({why(error)}): {cure}") from None


def _index(router: Router, settings: Any) -> tuple[View, list[Callable[[], None]]]:
    """The view of `/`, and the samplers that it needs."""
    if not settings.STATUS_PAGE:
        return pages.index, []
    from gateway_site.status.history import History
    from gateway_site.status.page import StatusPage

    history = History()
    return StatusPage(router, history, settings.WEB_CONCURRENCY).index, [history.sample]


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
