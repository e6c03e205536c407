"""DRF's browsable API for an async viewset, with DEBUG: the action's answer as a page with forms.

The renderer is DRF's, with our template; it is synchronous, so it runs in a thread. Through the gateway, links and forms carry
the client's prefix as Django's script prefix. Every form works without JavaScript (forms.py).
"""

from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.urls import set_script_prefix, set_urlconf
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response as DRFResponse
from rest_framework.serializers import ChoiceField

from common.http.json_body import StrictJSONParser
from common.http.pages import HTML, layout, policy
from common.http.request import Request
from common.http.response import RawResponse


class PageRenderer(BrowsableAPIRenderer):
    template = "common/browsable.html"

    def get_context(self, data: Any, accepted_media_type: str | None, renderer_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        context |= renderer_context["page"]
        # The answer's fields, not the renderer's.
        context["response_headers"]["Content-Type"] = renderer_context["content_type"]
        return context

    def show_form_for_method(self, *args: Any) -> bool:
        """False: the template has its own forms."""
        return False


async def as_page(view: Any, request: Request, answer: RawResponse, kwargs: dict[str, Any]) -> RawResponse:
    """The answer of a viewset's action as a page; a 304, which has no content, stays unchanged."""
    if answer.status_code == 304:
        return answer
    return await sync_to_async(_render, thread_sensitive=False)(view, request, answer, kwargs)


def _render(view: Any, request: Request, answer: RawResponse, kwargs: dict[str, Any]) -> RawResponse:
    prefix, django = request.origin.prefix, request.django
    set_script_prefix(prefix + "/")
    set_urlconf(django.urlconf)  # DRF's breadcrumbs resolve paths
    django.path, django.method = prefix + django.path_info, request.method
    view.request, view.kwargs, view.format_kwarg = view.initialize_request(django, **kwargs), kwargs, None
    view.parser_classes = [StrictJSONParser]
    fields = [field for field in answer.raw_headers if field[0] != b"content-type"]
    view.headers = {name.decode("latin-1").title(): value.decode("latin-1") for name, value in fields}
    data = orjson.loads(answer.content) if answer.content else None
    response = DRFResponse(data, status=answer.status_code, headers=view.headers)
    response.accepted_renderer = renderer = PageRenderer()
    context = {"view": view, "request": view.request, "response": response, "args": (), "kwargs": kwargs}
    context["content_type"] = dict(answer.raw_headers).get(b"content-type", b"").decode("latin-1")
    context["page"] = layout(request) | _content(view, request, answer.status_code, data)
    body = renderer.render(data, "text/html", context).encode()
    status = 200 if answer.status_code == 204 else answer.status_code
    return RawResponse(status, [HTML, policy(forms=True), *fields], body)


def _content(view: Any, request: Request, status: int, data: Any) -> dict[str, Any]:
    """The template's content: the problem, the table of a list, and the forms of the page."""
    path = view.request.path
    is_problem = status >= 400
    content: dict[str, Any] = {"path": path, "problem": data if is_problem else None}
    if isinstance(data, dict) and "results" in data:
        content["table"] = _table(view, path, data)
    if data is None or status in {404, 405}:  # nothing to edit
        return content
    is_list = "post" in view.action_map
    initial = {} if is_list else data
    values = _values(view, _typed(request) if is_problem else initial)
    if is_list:
        methods, forms = ["POST"], [_form(view, "POST", "Create", values, data)]
    else:
        methods, forms = ["PUT", "PATCH"], [_form(view, "PUT", "Save", values, data)]
        forms.append({"method": "DELETE", "title": "Delete", "button": "Delete"})
    raw = {"methods": methods, "content": orjson.dumps(values, option=orjson.OPT_INDENT_2).decode()}
    return content | {"forms": forms, "raw": raw}


def _typed(request: Request) -> dict[str, Any]:
    try:
        typed = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return typed if isinstance(typed, dict) else {}


def _values(view: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The initial values of the forms: the writable fields."""
    fields = view.get_serializer().writable
    return {name: given.get(name, field.initial or "") for name, field in fields.items()}


def _table(view: Any, path: str, page: dict[str, Any]) -> dict[str, Any]:
    serializer = view.get_serializer()
    columns = [*serializer.writable, *(name for name in serializer.fields if name not in serializer.writable)]
    rows = [
        {"url": f"{path}/{result[view.lookup_field]}", "values": [result[name] for name in columns]}
        for result in page["results"]
    ]
    return {"columns": columns, "rows": rows, "next": page["next"], "previous": page.get("previous")}


def _form(view: Any, method: str, title: str, values: dict[str, Any], answer: Any) -> dict[str, Any]:
    faults = answer.get("errors", []) if isinstance(answer, dict) else []
    fields = [
        {
            "name": name,
            "value": values[name],
            "help": field.help_text,
            "choices": list(field.choices) if isinstance(field, ChoiceField) else None,
            "errors": [fault["detail"] for fault in faults if fault["field"] == name],
        }
        for name, field in view.get_serializer().writable.items()
    ]
    return {"method": method, "title": title, "button": title, "fields": fields}
