"""Wires the guard. Imported only if a setting or a route asks for it: the guard's metrics, PyJWT and redis-py come with it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.config.environment import SettingError
from common.observability import metrics
from gateway_site.guard.api_keys import ApiKeys, why
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.guard import Guard
from gateway_site.guard.limit import Limiter, LocalStore
from gateway_site.guard.rate import Rate

if TYPE_CHECKING:
    from gateway_site.guard.tokens import Tokens


def build_guard(settings: Any) -> Guard:
    """Raises SettingError."""
    scopes = set(settings.ROUTES.scopes)
    keys = _keys(settings, scopes) if "apikey" in settings.AUTH else None
    tokens = _tokens(settings, scopes) if "jwt" in settings.AUTH else None
    credentials = Credentials(keys, tokens) if settings.AUTH else None
    limit = _local if settings.RATE_LIMIT_STORE == "local" else _shared(settings.RATE_LIMIT_STORE)
    return Guard(
        credentials,
        settings.RATE_LIMIT,
        limit,
        scopes=scopes,
        on_stop=[tokens.keys.close] if tokens is not None else [],
    )


def _tokens(settings: Any, scopes: set[str]) -> "Tokens":
    from gateway_site.guard.tokens import Tokens  # PyJWT and cryptography: 14 MB

    return Tokens(
        settings.AUTH_JWKS_URL,
        issuer=settings.AUTH_ISSUER,
        audience=settings.AUTH_AUDIENCE,
        scope_claims=settings.AUTH_SCOPE_CLAIM,
        known_scopes=scopes,
    )


def _keys(settings: Any, scopes: set[str]) -> ApiKeys:
    try:
        return ApiKeys(Path(settings.AUTH_API_KEYS_FILE), scopes)
    except (OSError, ValueError) as error:
        cure = "mount a file with the lines that `manage_gateway.py create_api_key` prints"
        raise SettingError(f"AUTH_API_KEYS_FILE cannot be used ({why(error)}): {cure}") from None


def _local(rate: Rate, name: str) -> Limiter:
    return Limiter(rate, LocalStore(rate), name)


def _shared(url: str) -> Callable[[Rate, str], Limiter]:
    from gateway_site.guard.limit_store import STORE_UP, RedisStore, connect  # redis-py: 10 MB

    stores: list[RedisStore] = []
    # In each worker: a value set before the fork is lost.
    metrics.samplers.append(lambda: STORE_UP.set(all(store.is_up for store in stores)))

    def limit(rate: Rate, name: str) -> Limiter:
        stores.append(RedisStore(connect(url), rate, name))
        return Limiter(rate, stores[-1], name)

    return limit
