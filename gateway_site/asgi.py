"""The gateway as an ASGI application: the one module that wires it."""

import os
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from common.config.environment import SettingError
from common.http.application import Application
from common.http.metrics import metrics_view
from common.http.views import View
from common.observability import metrics
from common.observability.json_logging import mask
from gateway_site import pages, urls
from gateway_site.forwarding.headers import FROM_CLIENT, FROM_CLIENT_WITHOUT_CREDENTIALS
from gateway_site.forwarding.user_service import SERVICE, UserService
from gateway_site.forwarding.view import Forward
from gateway_site.guard.rate import Rate
from gateway_site.guard.scrape import closed_to_proxies

On = list[Any]
"""What to await once the server has stopped."""


def build(settings: Any) -> Application:
    """Opens no connection. Raises ImproperlyConfigured."""
    users = UserService(
        settings.USER_SERVICE_URL,
        timeout=settings.UPSTREAM_TIMEOUT_MS / 1000,
        connect_timeout=settings.UPSTREAM_CONNECT_TIMEOUT_MS / 1000,
        max_timeouts=settings.UPSTREAM_MAX_TIMEOUTS,
    )
    on_stop: On = []
    dropped = FROM_CLIENT_WITHOUT_CREDENTIALS if settings.AUTH else FROM_CLIENT
    forward = Forward(users, dropped=dropped, max_answer=settings.MAX_ANSWER_BYTES)
    return Application(
        urls.urlpatterns(
            _guarded(forward.serve, settings, on_stop),
            _index(users, settings),
            closed_to_proxies(metrics_view(())),
        ),
        probes={SERVICE: users.probe},
        on_stop=[*on_stop, users.close],
        opening=_cors(settings),
        in_force={
            "user_service": settings.USER_SERVICE_URL,
            "timeout_ms": settings.UPSTREAM_TIMEOUT_MS,
            "connect_timeout_ms": settings.UPSTREAM_CONNECT_TIMEOUT_MS,
            "auth": ",".join(settings.AUTH) or "none",
            "rate_limit": str(settings.RATE_LIMIT or "none"),
            "rate_limit_store": mask(settings.RATE_LIMIT_STORE),
            "trusted_proxies": [str(network) for network in settings.TRUSTED_PROXIES],
        },
    )


def _index(users: UserService, settings: Any) -> View:
    if not settings.STATUS_PAGE:
        return pages.index
    from gateway_site.status.history import History
    from gateway_site.status.page import StatusPage

    history = History()
    metrics.samplers.append(history.sample)
    return StatusPage(users, history, settings.WEB_CONCURRENCY).index


def _cors(settings: Any) -> Any:
    if not settings.CORS_ALLOWED_ORIGINS:
        return None
    from gateway_site.guard.cors import Cors

    return Cors(settings.CORS_ALLOWED_ORIGINS).open


def _guarded(view: View, settings: Any, on_stop: On) -> View:
    """The view behind the guard that the settings ask for. The guard is imported only then: its metrics appear with it."""
    if not (settings.AUTH or settings.RATE_LIMIT):
        return view
    from gateway_site.guard.guard import Guard

    return Guard(view, _credentials(settings, on_stop), _limiter(settings, on_stop)).serve


def _credentials(settings: Any, on_stop: On) -> Any:
    if not settings.AUTH:
        return None
    from gateway_site.guard.credentials import Credentials

    keys = _keys(settings) if "apikey" in settings.AUTH else None
    tokens = None
    if "jwt" in settings.AUTH:
        from gateway_site.guard.tokens import Tokens  # PyJWT and cryptography: 14 MB that only it needs

        tokens = Tokens(
            settings.AUTH_JWKS_URL,
            issuer=settings.AUTH_ISSUER,
            audience=settings.AUTH_AUDIENCE,
            scope_claims=settings.AUTH_SCOPE_CLAIM,
        )
        on_stop.append(tokens.keys.close)
    return Credentials(keys, tokens)


def _keys(settings: Any) -> Any:
    from gateway_site.guard.api_keys import ApiKeys, why

    try:
        return ApiKeys(Path(settings.AUTH_API_KEYS_FILE))
    except (OSError, ValueError) as error:
        cure = "mount a file with the lines that `manage_gateway.py create_api_key` prints"
        raise SettingError(f"AUTH_API_KEYS_FILE cannot be used ({why(error)}): {cure}") from None


def _limiter(settings: Any, on_stop: On) -> Any:
    rate: Rate | None = settings.RATE_LIMIT
    if rate is None:
        return None
    from gateway_site.guard.limit import Limiter, LocalStore, Store

    store: Store
    if settings.RATE_LIMIT_STORE == "local":
        store = LocalStore(rate)
    else:
        from gateway_site.guard.limit_store import RedisStore  # redis-py: 10 MB that only it needs

        store = shared = RedisStore(settings.RATE_LIMIT_STORE, rate)
        metrics.samplers.append(shared.sample)
    limiter = Limiter(rate, store)
    on_stop.append(limiter.close)
    return limiter


def application() -> Application:
    """The server's entry point: `gunicorn gateway_site.asgi:application()`."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "gateway_site.settings"
    django.setup(set_prefix=False)
    return build(settings)
