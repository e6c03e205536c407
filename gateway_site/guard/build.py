"""Wires the guard. Imported only if a setting asks for it: the guard's metrics, PyJWT and redis-py come with it."""

from pathlib import Path
from typing import Any

from common.config.environment import SettingError
from common.http.health import Step
from common.observability import metrics
from gateway_site.guard.api_keys import ApiKeys, why
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.guard import Guard
from gateway_site.guard.limit import Limiter, LocalStore


def build_guard(settings: Any) -> tuple[Guard, list[Step]]:
    """The guard, and what to await once the server has stopped. Raises SettingError."""
    stops: list[Step] = []
    credentials = _credentials(settings, stops) if settings.AUTH else None
    limiter = _limiter(settings) if settings.RATE_LIMIT else None
    if limiter is not None:
        stops.append(limiter.close)
    return Guard(credentials, limiter), stops


def _credentials(settings: Any, stops: list[Step]) -> Credentials:
    keys = _keys(settings) if "apikey" in settings.AUTH else None
    if "jwt" not in settings.AUTH:
        return Credentials(keys, None)
    from gateway_site.guard.tokens import Tokens  # PyJWT and cryptography: 14 MB

    tokens = Tokens(
        settings.AUTH_JWKS_URL,
        issuer=settings.AUTH_ISSUER,
        audience=settings.AUTH_AUDIENCE,
        scope_claims=settings.AUTH_SCOPE_CLAIM,
    )
    stops.append(tokens.keys.close)
    return Credentials(keys, tokens)


def _keys(settings: Any) -> ApiKeys:
    try:
        return ApiKeys(Path(settings.AUTH_API_KEYS_FILE))
    except (OSError, ValueError) as error:
        cure = "mount a file with the lines that `manage_gateway.py create_api_key` prints"
        raise SettingError(f"AUTH_API_KEYS_FILE cannot be used ({why(error)}): {cure}") from None


def _limiter(settings: Any) -> Limiter:
    rate = settings.RATE_LIMIT
    if settings.RATE_LIMIT_STORE == "local":
        return Limiter(rate, LocalStore(rate))
    from gateway_site.guard.limit_store import RedisStore, connect  # redis-py: 10 MB

    store = RedisStore(connect(settings.RATE_LIMIT_STORE), rate)
    metrics.samplers.append(store.sample)
    return Limiter(rate, store)
