"""The guard around a route's view: identifies the caller, counts the request, checks the scope."""

from functools import partial
from typing import TYPE_CHECKING

from common.http.problem import Problem
from common.http.request import Request
from common.http.response import RawResponse
from common.http.views import View
from gateway_site.guard import audit, challenge
from gateway_site.guard.credentials import Credentials
from gateway_site.guard.limit import Limiter, LocalStore, client_of
from gateway_site.guard.principal import Principal
from gateway_site.routes.rate import Rate
from gateway_site.routes.table import ANY, OPEN, READING, Route, Table

if TYPE_CHECKING:
    from gateway_site.guard.limit_store import RedisStore


class Guard:
    """Without `credentials` every caller may do everything. `default` limits all routes together. `scopes`: all valid
    ones; those of new routes are added. Without `shared` each process counts on its own."""

    def __init__(
        self,
        credentials: Credentials | None,
        default: Rate | None,
        *,
        scopes: set[str],
        shared: "RedisStore | None" = None,
    ) -> None:
        self._credentials, self._shared, self._scopes = credentials, shared, scopes
        self.samplers = [shared.sample] if shared else []
        self._limiters: dict[tuple[str, Rate], Limiter] = {}
        self._everywhere = [self._limiter("default", default)] if default else []

    def protect(self, route: Route, view: View) -> View:
        """The guarded view, or the view itself if nothing guards the route."""
        self._scopes.update(route.scopes.values())
        limiters = {scope: self._limiters_of(route, scope) for scope in route.scopes.values()}
        if not (self._credentials or any(limiters.values())):
            return view
        return partial(self._serve, route, view, limiters)

    def _limiters_of(self, route: Route, scope: str) -> list[Limiter]:
        limited = route.limit_for(scope)
        if not limited:
            return self._everywhere
        return [*self._everywhere, self._limiter(_name(route, limited), route.rate_limit[limited])]

    def _limiter(self, name: str, rate: Rate) -> Limiter:
        """Kept, because a new table of routes must not reset the limits of the old one."""
        if (name, rate) not in self._limiters:
            take = self._shared.counter(rate, name) if self._shared else LocalStore(rate).take
            self._limiters[name, rate] = Limiter(rate, take, name)
        return self._limiters[name, rate]

    def keep(self, table: Table) -> None:
        """Drops the limits of other tables."""
        kept = {(_name(route, limited), rate) for route in table.routes for limited, rate in route.rate_limit.items()}
        for each in [*self._limiters]:
            if each not in kept and self._limiters[each] not in self._everywhere:
                del self._limiters[each]

    async def _serve(self, route: Route, view: View, limits: dict[str, list[Limiter]], request: Request) -> RawResponse:
        """The view's answer; with credentials every write is audited. Raises Problem (400, 401, 403, 429, 503)."""
        scope = route.scope_for(request.method)
        answering = self._admitted(view, limits[scope or OPEN], request, scope)
        if self._credentials is None or request.method in READING:
            return await answering
        return await audit.recorded(request, answering)

    async def _admitted(self, view: View, limiters: list[Limiter], request: Request, scope: str | None) -> RawResponse:
        headers = None
        if self._credentials is None or scope is None:
            await _count(request, limiters, client_of(request.remote_addr))
        else:
            caller = await _identify(request, self._credentials, limiters)
            request.principal, headers = caller.label, caller.headers
            await _count(request, limiters, caller.label)
            if scope not in caller.scopes:
                raise challenge.insufficient(scope)
        response: RawResponse = await view(request, headers)
        return response

    async def close(self) -> None:
        if self._credentials is not None:
            await self._credentials.close()
        if self._shared is not None:
            await self._shared.close()


def _name(route: Route, limited: str) -> str:
    """The name of a limit of the route; `limited` is its key in `rate_limit`."""
    return route.prefix if limited == ANY else f"{route.prefix} {limited}"


async def _identify(request: Request, credentials: Credentials, limiters: list[Limiter]) -> Principal:
    try:
        return await credentials.check(request)
    except Problem:
        await _count(request, limiters, client_of(request.remote_addr))  # so that guessing is limited too
        raise


async def _count(request: Request, limiters: list[Limiter], client: str) -> None:
    for limiter in limiters:
        await limiter.count(request, client)
