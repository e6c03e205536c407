"""DRF's browsable API in front of an async viewset, with DEBUG: the action's own answer, shown as DRF's page.

Rendering is DRF's and synchronous, so it runs in a thread. Through the gateway the page's links and forms carry the client's
prefix as Django's script prefix.
"""

from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.template.loader import get_template
from django.urls import set_script_prefix, set_urlconf
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response as DRFResponse
from rest_framework.utils.serializer_helpers import ReturnDict

from common.http.json_body import MergePatchParser, StrictJSONParser
from common.http.request import Request
from common.http.response import RawResponse


class PageLinks:
    """The paging controls that DRF's renderer asks a paginator for, from the links in the page."""

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
        """Raises TypeError, on which the renderer leaves out its form of filters: there is no queryset."""
        raise TypeError


class WritableRenderer(JSONRenderer):
    """The initial content of a raw form: the fields that may be sent. DRF adds the read-only ones."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        """The JSON to edit."""
        text: bytes = super().render({name: data[name] for name in data.serializer.writable}, *args, **kwargs)
        return text


class FormParser(StrictJSONParser):
    """JSON, with a renderer for the initial content of its form."""

    renderer_class = WritableRenderer


async def as_page(view: Any, request: Request, answer: RawResponse, kwargs: dict[str, Any]) -> HttpResponse:
    """The answer of a viewset's action as a page."""
    return await sync_to_async(_render, thread_sensitive=False)(view, request, answer, kwargs)


def _render(view: Any, request: Request, answer: RawResponse, kwargs: dict[str, Any]) -> HttpResponse:
    prefix, django = request.origin.prefix, request.django
    set_script_prefix(prefix + "/")
    set_urlconf(django.urlconf)  # DRF's breadcrumbs resolve paths
    django.path = prefix + django.path_info
    view.request, view.kwargs, view.format_kwarg = view.initialize_request(django, **kwargs), kwargs, None
    view.parser_classes = [FormParser, MergePatchParser]
    view.headers = {
        name.decode("latin-1").title(): value.decode("latin-1")
        for name, value in answer.raw_headers
        if name != b"content-type"
    }
    data = orjson.loads(answer.content) if answer.content else None
    if isinstance(data, dict) and "results" in data:
        view.paginator = PageLinks(data)
    elif answer.status_code < 400 and isinstance(data, dict):
        data = ReturnDict(data, serializer=view.get_serializer(data))
    response = DRFResponse(data, status=answer.status_code, headers=view.headers)
    response.accepted_renderer = renderer = BrowsableAPIRenderer()
    context = {"view": view, "request": view.request, "response": response, "args": (), "kwargs": kwargs}
    page = renderer.render(data, "text/html", context)
    status = 200 if answer.status_code == 204 else answer.status_code
    return HttpResponse(page, status=status, headers=view.headers, content_type="text/html; charset=utf-8")
