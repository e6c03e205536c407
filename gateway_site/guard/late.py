"""The guard, built when a setting or a route first asks for it: its metrics, PyJWT and redis-py come with it."""

from typing import TYPE_CHECKING, Any

from common.http.views import View
from gateway_site.routes.table import Route

if TYPE_CHECKING:
    from gateway_site.guard.guard import Guard


class LateGuard:
    """Late, because the first route that asks may come with a new table."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._guard: Guard | None = None

    def protect(self, route: Route, view: View) -> View:
        """The route's view, behind the guard if the settings or the route ask for one. Raises SettingError."""
        settings = self._settings
        if not (settings.AUTH or settings.RATE_LIMIT or route.rate_limit):
            return view
        if self._guard is None:
            from gateway_site.guard.build import build_guard

            self._guard = build_guard(settings)
        return self._guard.protect(route, view)

    def sample(self) -> None:
        for sampler in self._guard.samplers if self._guard else ():
            sampler()

    async def close(self) -> None:
        if self._guard is not None:
            await self._guard.close()
