"""Makes problems from exceptions, and answers from problems: `application/problem+json`, or a page for browsers in
development."""

import logging
from typing import Any

import orjson
from django.core.exceptions import SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions as drf

from common.http.pages import HTML, policy, render
from common.http.problem import FIELD_CODES, KINDS, Problem, document
from common.http.request import Request
from common.http.response import RawResponse
from common.http.site import Site
from common.server.refusal import Refusal

logger = logging.getLogger(__name__)


def response(request: Request, problem: Problem, *, as_page: bool = True) -> RawResponse:
    """The problem as an answer to this request; `as_page`: as HTML for a browser in development."""
    request.code, request.reason = problem.code, problem.reason or problem.detail
    body = document(problem, request.client_path, request.request_id)
    headers = problem.headers
    if as_page and request.site.debug and request.wants_page:
        return RawResponse(problem.status, [HTML, policy(), *headers], _page(request, problem, body))
    return RawResponse(problem.status, [(b"content-type", b"application/problem+json"), *headers], orjson.dumps(body))


def _page(request: Request, problem: Problem, body: dict[str, Any]) -> bytes:
    facts = {name: value for name, value in body.items() if name not in {"title", "detail", "errors"}}
    content = {"problem": body, "cure": KINDS[problem.code].cure, "facts": facts}
    return render("common/problem.html", request, content)


def from_exception(error: Exception, site: Site) -> Problem:
    """The problem for an exception of Django, DRF or ours. Anything else is logged with its stack and is a 500."""
    match error:
        case Problem():
            return error
        case Refusal(status=503):
            return Problem(site.overload_code, error.reason, reason="overload")
        case Refusal():
            return Problem("malformed-request", error.reason, status=error.status)
        case Http404():
            return Problem("not-found", "No resource has this path.")
        case drf.ParseError():
            return Problem("malformed-request", str(error.detail))
        case drf.ValidationError():
            errors = field_errors(error.get_full_details())
            return Problem("validation-error", "Some fields are not valid.", errors=errors)
        case SuspiciousOperation():
            return Problem("malformed-request")
    logger.error("unhandled exception", exc_info=error)
    return Problem("internal-error", "The error is logged under this request ID.", reason=type(error).__qualname__)


def field_errors(details: Any, field: str = "") -> list[dict[str, str]]:
    """DRF's nested details, flattened to `[{"field", "code", "detail"}]`."""
    if isinstance(details, dict) and {"message", "code"} == details.keys():
        code = details["code"] if details["code"] in FIELD_CODES else "invalid"
        return [{"field": field, "code": str(code), "detail": str(details["message"])}]
    if isinstance(details, dict):
        named = ((name if name != "non_field_errors" else "", value) for name, value in details.items())
        return [error for name, value in named for error in field_errors(value, name)]
    return [error for value in details for error in field_errors(value, field)]
