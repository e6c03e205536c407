"""The guard around views that forward: identifies the caller, counts the request, checks the scope."""

from functools import partial

from common.http.problem import Problem
from common.http.request import Request
from common.http.response import Response
from common.http.views import View
from gateway_site.guard import audit, challenge
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.limit import Limiter, client_of
from gateway_site.guard.principal import READING, Principal, scope_for


class Guard:
    """Without `credentials` every caller may do everything; without `limiter` as often as they like."""

    def __init__(self, credentials: Credentials | None, limiter: Limiter | None) -> None:
        self._credentials, self._limiter = credentials, limiter

    def protect(self, view: View) -> View:
        """The view behind the guard, which passes it the fields that name the caller."""
        return partial(self.serve, view)

    async def serve(self, view: View, request: Request, **path_parameters: str) -> Response:
        """The view's answer; with credentials every write is audited. Raises Problem (400, 401, 403, 429, 503)."""
        if self._credentials is None:
            await self._count(request, client_of(request.remote_addr))
            response: Response = await view(request)
            return response
        if request.method in READING:
            return await self._serve(view, request, self._credentials)
        return await audit.recorded(request, self._serve(view, request, self._credentials))

    async def _serve(self, view: View, request: Request, credentials: Credentials) -> Response:
        caller = await self._identify(request, credentials)
        request.principal = caller.label
        await self._count(request, caller.label)
        scope = scope_for(request.method)
        if scope not in caller.scopes:
            raise challenge.insufficient(scope)
        response: Response = await view(request, caller.headers)
        return response

    async def _identify(self, request: Request, credentials: Credentials) -> Principal:
        try:
            return await credentials.check(request)
        except Problem:
            await self._count(request, client_of(request.remote_addr))  # so that guessing is limited too
            raise

    async def _count(self, request: Request, client: str) -> None:
        if self._limiter is not None:
            await self._limiter.count(request, client)
