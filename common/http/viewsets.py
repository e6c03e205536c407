"""DRF viewsets on asyncio, with DRF's serializers, schema and browsable API; JSON answers bypass its rendering."""

from typing import Any

from asgiref.sync import markcoroutinefunction
from rest_framework.viewsets import GenericViewSet

from common.http import problems
from common.http.body import read_body
from common.http.forms import read_form
from common.http.request import ClientGone, Request
from common.http.response import RawResponse, Response
from common.http.views import method_not_allowed


class AsyncViewSet(GenericViewSet[Any]):
    """A viewset whose actions are `async def action(self, request, **path_parameters) -> RawResponse`."""

    paginator: Any = None  # the actions make the pages

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """As DRF's, marked as a coroutine function: otherwise Django would run it in a thread."""
        return markcoroutinefunction(super().as_view(actions, **initkwargs))

    def get_view_name(self) -> str:
        """The title of its page: `Users`, `User`."""
        name = type(self).__name__.removesuffix("ViewSet")
        return name if self.detail else f"{name}s"

    async def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """Calls the action. With DEBUG a browser gets its answer as a page of the browsable API."""
        if request.site.debug and request.wants_page:
            return await self._browse(request, kwargs)
        try:
            return await self.act(request, **kwargs)
        except Exception as error:
            raise self.problem_for(error) from error

    async def act(self, request: Request, **kwargs: Any) -> RawResponse:
        """The action for the request's method. Raises Problem (405)."""
        action = self.action_map.get(request.method.lower()) if request.method.isupper() else None
        if action is None:
            if request.method == "OPTIONS":
                return RawResponse(204, [(b"allow", self.allow.encode())])
            raise method_not_allowed(self.allow)
        response: RawResponse = await getattr(self, action)(request, **kwargs)
        return response

    async def _browse(self, request: Request, kwargs: dict[str, Any]) -> Response:
        from common.http.browsable import as_page  # needs DRF's templates, which only DEBUG does

        try:
            is_form = await read_form(request)
            await read_body(request)
            answer = await self.act(request, **kwargs)
            if is_form and request.method == "DELETE":
                return RawResponse(303, [(b"location", request.client_path.rpartition("/")[0].encode("latin-1"))])
        except ClientGone:
            raise
        except Exception as error:
            problem = problems.from_exception(self.problem_for(error), request.site)
            answer = problems.response(request, problem, as_page=False)
        return await as_page(self, request, answer, kwargs)

    def problem_for(self, error: Exception) -> Exception:
        """The problem for one of the site's own errors; others are returned unchanged."""
        return error

    @property
    def allow(self) -> str:
        return ", ".join(sorted(method.upper() for method in {*self.action_map, "options"}))
