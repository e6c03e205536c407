"""Puts the guard together, as the settings say, around the view that forwards."""

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from asgiref.sync import markcoroutinefunction

from common.config.environment import SettingError
from common.http import problems
from common.http.problem import Problem
from common.http.request import ClientGone, Request
from common.http.response import RawResponse, Response
from gateway_site import settings
from gateway_site.forwarding.headers import client_address
from gateway_site.guard import audit, challenge
from gateway_site.guard.api_keys import ApiKeys, why
from gateway_site.guard.cors import Cors
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.limit import Limiter, LocalStore, State, Store, client_of
from gateway_site.guard.principal import READING, Principal, scope_for

Answering = Coroutine[Any, Any, Response]
View = Callable[..., Answering]
Caller = Principal | Problem | None
"""Who is calling, or why they may not; None where nobody asks."""

on_stop: list[Callable[[], Awaitable[None]]] = []
"""What to await once the server has stopped."""


class Guard:
    """What a request passes before it is forwarded. None of the three where the settings ask for none.

    Its steps are plain functions, each of which returns what the next one does, in the end the view's coroutine: nothing waits
    for a good key or a local limit, and a coroutine around the view's would cost each request. What waits has one of its own.
    """

    def __init__(self, view: View, credentials: Credentials | None, limiter: Limiter | None, cors: Cors | None) -> None:
        self._view, self._credentials, self._limiter, self._cors = view, credentials, limiter, cors

    @markcoroutinefunction
    def serve(self, request: Request, **path_parameters: str) -> Answering:
        """The view's answer, with the fields of the limit and of CORS; every write is audited. Raises Problem (400, 401,
        403, 429, 503), and what the view raises."""
        if self._cors is not None:
            if request.method == "OPTIONS" and (preflight := self._cors.preflight(request)) is not None:
                return answering(preflight)
            request.answer_fields += self._cors.fields(request)
        if self._credentials is not None and request.method not in READING:
            return self._audited(request)
        return self._identify(request)

    async def _audited(self, request: Request) -> Response:
        response: RawResponse | None = None
        try:
            response = cast(RawResponse, await self._identify(request))
        except ClientGone:
            raise
        except Exception as error:
            response = problems.response(request, problems.from_exception(error, request.site))
        finally:
            audit.record(request, response)
        return response

    def _identify(self, request: Request) -> Answering:
        if self._credentials is None:
            return self._limit(request, None)
        try:
            found = self._credentials.check(request)
        except Problem as refusal:
            return self._limit(request, refusal)
        return self._limit(request, found) if isinstance(found, Principal) else self._identify_later(request, found)

    async def _identify_later(self, request: Request, finding: Awaitable[Principal]) -> Response:
        caller: Caller
        try:
            caller = await finding
        except Problem as refusal:
            caller = refusal
        return await self._limit(request, caller)

    def _limit(self, request: Request, caller: Caller) -> Answering:
        if isinstance(caller, Principal):
            request.principal = caller.label
        limiter = self._limiter
        if limiter is None:
            return self._forward(request, caller)
        # Whoever has no good credential is limited by address: so guessing is limited too.
        state = limiter.store.take(request.principal or client_of(locate(request)))
        if not isinstance(state, tuple):
            return self._limit_later(request, caller, limiter, state)
        return self._forward(request, limiter.count(request, state) or caller)

    async def _limit_later(
        self, request: Request, caller: Caller, limiter: Limiter, taking: Awaitable[State]
    ) -> Response:
        return await self._forward(request, limiter.count(request, await taking) or caller)

    def _forward(self, request: Request, caller: Caller) -> Answering:
        if isinstance(caller, Principal):
            scope = scope_for(request.method)
            if scope in caller.scopes:
                return self._view(request, caller.headers)
            caller = challenge.insufficient(scope)
        if caller is None:
            return self._view(request)
        locate(request)
        raise caller


async def answering(response: Response) -> Response:
    """An answer that is there already."""
    return response


def guarded(view: View) -> View:
    """The view behind the guard that the settings ask for. Raises SettingError."""
    cors = Cors(settings.CORS_ALLOWED_ORIGINS) if settings.CORS_ALLOWED_ORIGINS else None
    return Guard(view, _credentials(), _limiter(), cors).serve


def locate(request: Request) -> str:
    """The client's address, for the logs too. The view would find it; what is refused does not get there."""
    request.remote_addr = client_address(request.fields, request.peer, settings.TRUSTED_PROXIES)
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
