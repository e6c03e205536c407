"""Puts the guard together, as the settings say, around the view that forwards."""

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from django.http import HttpResponse

from common import problems
from common.environment import SettingError
from common.request import ClientGone, Request
from common.response import Headers, RawResponse
from gateway_site import settings
from gateway_site.guard import audit, challenge
from gateway_site.guard.api_keys import ApiKeys, why
from gateway_site.guard.cors import Cors
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.limit import Limiter, LocalStore, Store, client_of
from gateway_site.guard.principal import READING, Principal, scope_for
from gateway_site.headers import client_address

View = Callable[..., Coroutine[Any, Any, HttpResponse]]

on_stop: list[Callable[[], Awaitable[None]]] = []
"""What to await once the server has stopped."""


class Guard:
    """What a request passes before it is forwarded. None of the three where the settings ask for none."""

    def __init__(self, view: View, credentials: Credentials | None, limiter: Limiter | None, cors: Cors | None) -> None:
        self._view, self._credentials, self._limiter, self._cors = view, credentials, limiter, cors

    async def serve(self, request: Request, **path_parameters: str) -> HttpResponse:
        """The view's answer or a problem, with the fields of the limit and of CORS; every write is audited."""
        fields: Headers = []
        if self._cors is not None:
            if request.method == "OPTIONS" and (preflight := self._cors.preflight(request)) is not None:
                return preflight
            fields += self._cors.fields(request)
        response: RawResponse | None = None
        try:
            identity = await self._admit(request, fields)
            response = cast(RawResponse, await self._view(request, identity))
        except ClientGone:
            raise
        except Exception as error:
            locate(request)
            response = cast(RawResponse, problems.response(request, problems.from_exception(error)))
        finally:
            if self._credentials is not None and request.method not in READING:
                audit.record(request, response)
        response.raw_headers += fields
        return response

    async def _admit(self, request: Request, fields: Headers) -> Headers:
        """What the user service is told of who is calling. Raises Problem (400, 401, 403, 429, 503)."""
        principal: Principal | None = None
        refusal: problems.Problem | None = None
        if self._credentials is not None:
            try:
                found = self._credentials.check(request)
                principal = found if isinstance(found, Principal) else await found
                request.principal = principal.label
            except problems.Problem as problem:
                refusal = problem
        if self._limiter is not None:
            # Whoever has no good credential is limited by address: so guessing is limited too.
            await self._limiter.take(principal.label if principal else client_of(locate(request)), fields)
        if refusal is not None:
            raise refusal
        if principal is None:
            return []
        if (scope := scope_for(request.method)) not in principal.scopes:
            raise challenge.insufficient(scope)
        return principal.headers


def guarded(view: View) -> View:
    """The view behind the guard that the settings ask for. Raises SettingError."""
    cors = Cors(settings.CORS_ALLOWED_ORIGINS) if settings.CORS_ALLOWED_ORIGINS else None
    return Guard(view, _credentials(), _limiter(), cors).serve


def locate(request: Request) -> str:
    """The client's address, for the logs too. The view would find it; what is refused does not get there."""
    request.remote_addr = client_address(request.scope["headers"], request.peer, settings.TRUSTED_PROXIES)
    return request.remote_addr


def _credentials() -> Credentials | None:
    """Raises SettingError where the file of keys cannot be read."""
    if not settings.AUTH:
        return None
    keys = tokens = None
    if "apikey" in settings.AUTH:
        try:
            keys = ApiKeys(Path(settings.AUTH_API_KEYS_FILE))
        except (OSError, ValueError) as error:
            cure = "mount a file with the lines that `manage_gateway.py create_api_key` prints"
            raise SettingError(f"AUTH_API_KEYS_FILE cannot be used ({why(error)}): {cure}") from None
    if "jwt" in settings.AUTH:
        from gateway_site.guard.tokens import Tokens  # PyJWT and cryptography: 14 MB that only it needs

        origin, target = settings.AUTH_JWKS_URL
        tokens = Tokens(origin, target, settings.AUTH_ISSUER, settings.AUTH_AUDIENCE)
        on_stop.append(tokens.keys.close)
    return Credentials(keys, tokens)


def _limiter() -> Limiter | None:
    rate = settings.RATE_LIMIT
    if rate is None:
        return None
    store: Store = LocalStore(rate)
    if settings.RATE_LIMIT_STORE != "local":
        from gateway_site.guard.limit_store import RedisStore  # redis-py: 10 MB that only it needs

        store = RedisStore(settings.RATE_LIMIT_STORE, rate)
    limiter = Limiter(rate, store)
    on_stop.append(limiter.close)
    return limiter
