"""Wires the guard. PyJWT and the pipe to Redis are imported only if a setting needs them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.config.environment import SettingError
from gateway_site.guard.api_keys import ApiKeys, why
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.guard import Guard

if TYPE_CHECKING:
    from gateway_site.guard.limit_store import RedisStores
    from gateway_site.guard.tokens import Tokens


def build_guard(settings: Any) -> Guard:
    """Raises SettingError."""
    scopes = set(settings.ROUTES.scopes)
    keys = _keys(settings, scopes) if "apikey" in settings.AUTH else None
    tokens = _tokens(settings, scopes) if "jwt" in settings.AUTH else None
    credentials = Credentials(keys, tokens) if settings.AUTH else None
    shared = None if settings.RATE_LIMIT_STORE == "local" else _shared(settings)
    return Guard(credentials, settings.RATE_LIMIT, scopes=scopes, shared=shared)


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


def _shared(settings: Any) -> "RedisStores":
    from gateway_site.guard.limit_store import RedisStores

    return RedisStores(settings.RATE_LIMIT_STORE, settings.RATE_LIMIT_STORE_PASSWORD)
