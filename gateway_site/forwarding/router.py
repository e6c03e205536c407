"""The active routes: their views and upstreams. Another table can replace them while requests are in flight."""

import asyncio
from collections.abc import Callable

from common.http.health import Step
from common.http.routing import Match
from common.http.views import View
from gateway_site.forwarding.service import Service
from gateway_site.routes.matching import Matcher
from gateway_site.routes.table import Route, Table

MakeView = Callable[[Route, dict[str, Service]], View]


class Router:
    """`make_view`: the view of a route, its guard included. `on_apply`: called with each new table. `probes`: of the
    routes' upstreams, for readiness."""

    def __init__(
        self, table: Table, make_view: MakeView, on_apply: Callable[[Table], None] = lambda table: None
    ) -> None:
        self._make_view, self._on_apply = make_view, on_apply
        self.services: dict[str, Service] = {}
        self.probes: dict[str, Step] = {}
        self._leaving: dict[asyncio.Task[None], Service] = {}
        self.table = table
        self.apply(table)

    def apply(self, table: Table) -> None:
        """Activates the table. An unchanged upstream keeps its connections and its circuit."""
        kept = {
            name: service for name, service in self.services.items() if table.upstreams.get(name) == service.upstream
        }
        gone = [service for name, service in self.services.items() if name not in kept]
        longest = max(route.timeout_ms for route in self.table.routes) / 1000
        services = {name: kept.get(name) or Service(upstream) for name, upstream in table.upstreams.items()}
        self._matcher = Matcher([(route, self._make_view(route, services)) for route in table.routes])
        self.table, self.services = table, services
        self.probes.clear()
        self.probes |= {route.upstream: services[route.upstream].probe for route in table.routes}
        for service in gone:
            service.leave()
            task = asyncio.create_task(_close_after(longest, service))
            self._leaving[task] = service
            task.add_done_callback(self._leaving.pop)
        self._on_apply(table)

    def find(self, path: str) -> Match | None:
        return self._matcher.find(path)

    async def close(self) -> None:
        leaving = dict(self._leaving)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*(service.close() for service in (*self.services.values(), *leaving.values())))


async def _close_after(seconds: float, leaving: Service) -> None:
    """Closes it after its requests in flight and its streams have ended."""
    await asyncio.sleep(seconds)
    await leaving.streams.ended.wait()
    await leaving.close()
