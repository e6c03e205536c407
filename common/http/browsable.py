"""DRF's browsable API in front of an async viewset, in dev: the action's own answer, shown as DRF's page.

Rendering is DRF's and synchronous, so it runs in a thread; only browsers in dev come here. Through the gateway the page's
links and forms carry the client's prefix (X-Forwarded-Prefix) as Django's script prefix.
"""

from typing import TYPE_CHECKING, Any

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.template.loader import get_template
from django.urls import set_script_prefix, set_urlconf
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict

from common.http import problems
from common.http.request import ClientGone, Request
from users_contract.contracts import MergePatchParser, StrictJSONParser

if TYPE_CHECKING:
    from common.http.viewsets import AsyncViewSet


class PageLinks:
    """The paging controls: what DRF's renderer asks a paginator for, from the links in the page itself."""

    display_page_controls = True
    template = "rest_framework/pagination/previous_and_next.html"

    def __init__(self, page: dict[str, Any]) -> None:
        self.page = page

    def to_html(self) -> str:
        """Two links."""
        return get_template(self.template).render(
            {"previous_url": self.page["previous"], "next_url": self.page["next"]}
        )

    def get_results(self, data: Any) -> None:
        """Raises TypeError, by which the renderer knows a view without a queryset and leaves out its form of filters."""
        raise TypeError


class WritableRenderer(JSONRenderer):
    """What a raw form starts with: the fields that may be sent. DRF puts in the read-only ones too, which we refuse."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        """The JSON to edit."""
        text: bytes = super().render({name: data[name] for name in data.serializer.writable}, *args, **kwargs)
        return text


class FormParser(StrictJSONParser):
    """The site's JSON, with what fills in a form of it."""

    renderer_class = WritableRenderer


async def browse(view: "AsyncViewSet", request: Request, **kwargs: Any) -> HttpResponse:
    """The action's answer, or its problem, as a page."""
    await request.read_body()
    try:
        answer = await view.act(request, **kwargs)
    except ClientGone:
        raise
    except Exception as error:
        answer = problems.response(request, problems.from_exception(view.problem_for(error)), as_page=False)
    return await sync_to_async(render, thread_sensitive=False)(view, request, answer, **kwargs)


def render(view: "AsyncViewSet", request: Request, answer: HttpResponse, **kwargs: Any) -> HttpResponse:
    """The page around an answer."""
    prefix = request.header(b"x-forwarded-prefix") or ""
    set_script_prefix(prefix + "/")
    set_urlconf(request.urlconf)  # DRF's breadcrumbs resolve paths
    request.path = prefix + request.path_info
    drf_request = view.initialize_request(request, **kwargs)
    view.request, view.kwargs, view.format_kwarg = drf_request, kwargs, None
    view.headers = {name: value for name, value in answer.items() if name.lower() != "content-type"}
    view.parser_classes = [FormParser, MergePatchParser]
    data = orjson.loads(answer.content) if answer.content else None
    if isinstance(data, dict) and "results" in data:
        view._paginator = PageLinks(data)  # type: ignore[attr-defined] # where the property `paginator` keeps its value
    elif answer.status_code < 400 and isinstance(data, dict):
        data = ReturnDict(data, serializer=view.get_serializer(data))
    response = Response(data, status=answer.status_code, headers=view.headers)
    renderer = BrowsableAPIRenderer()
    response.accepted_renderer = renderer
    page = renderer.render(
        data,
        "text/html",
        {"view": view, "request": drf_request, "response": response, "args": (), "kwargs": kwargs},
    )
    status = 200 if answer.status_code == 204 else answer.status_code
    return HttpResponse(page, status=status, headers=view.headers, content_type="text/html; charset=utf-8")
