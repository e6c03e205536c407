"""DRF viewsets on asyncio: router, serializers, schema and browsable API are DRF's; programs get bytes without its detours."""

from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpResponse
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.viewsets import GenericViewSet

from common.http.request import Request
from common.http.response import RawResponse
from common.http.views import method_not_allowed
from users_contract.contracts import parse_json

JSON_TYPES = frozenset({"application/json"})
MERGE_TYPES = JSON_TYPES | {"application/merge-patch+json"}


class AsyncViewSet(GenericViewSet[Any]):
    """A viewset whose actions are `async def action(self, request, **path_parameters) -> HttpResponse`."""

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """DRF makes a plain function; unmarked, Django would run it in a thread."""
        return markcoroutinefunction(super().as_view(actions, **initkwargs))

    async def dispatch(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Calls the action. In dev a browser gets its answer as a page of the browsable API."""
        if settings.DEBUG and request.wants_page:
            from common.http.browsable import browse

            return await browse(self, request, **kwargs)
        try:
            return await self.act(request, **kwargs)
        except Exception as error:
            raise self.problem_for(error) from error

    async def act(self, request: Request, **kwargs: Any) -> HttpResponse:
        """The action for the request's method. Raises Problem (405)."""
        action = self.action_map.get((request.method or "").lower())
        if action is None:
            if request.method == "OPTIONS":
                return RawResponse(204, [(b"allow", self.allow.encode())])
            raise method_not_allowed(self.allow)
        response: HttpResponse = await getattr(self, action)(request, **kwargs)
        return response

    def problem_for(self, error: Exception) -> Exception:
        """The problem that one of the site's own errors means; others come back as they are."""
        return error

    @property
    def allow(self) -> str:
        """The methods that this path has."""
        return ", ".join(sorted(method.upper() for method in {*self.action_map, "options"}))


async def json_body(request: Request, media_types: frozenset[str] = JSON_TYPES) -> Any:
    """The parsed body. Raises UnsupportedMediaType (415), Problem (413), ParseError (400)."""
    given = request.header(b"content-type") or ""
    media_type, _, parameters = given.partition(";")
    if media_type.strip().lower() not in media_types:
        raise UnsupportedMediaType(given[:100] or "nothing")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if "charset=" in charset and "charset=utf-8" not in charset:
        raise UnsupportedMediaType(given[:100])
    return parse_json(await request.read_body())
