"""Every error of either service as RFC 9457 `application/problem+json`; in a browser in dev, a readable page.

A closed set of codes: what an error is called, its status and what a client should do stand here and nowhere else.
"""

import logging
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf

from common.http.response import Headers, RawResponse
from common.server.refusal import Refusal

if TYPE_CHECKING:
    from common.http.request import Request

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its HTTP status, its title, and what the client is to do about it."""

    status: int
    title: str
    cure: str
    retry: str


KINDS: dict[str, Kind] = {
    "validation-error": Kind(400, "The request is not valid", "Mend the fields that `errors` names.", "no"),
    "malformed-request": Kind(400, "The request cannot be read", "Send well-formed HTTP and JSON.", "no"),
    "unauthenticated": Kind(401, "Credentials are missing or not valid", "Send a valid credential.", "no"),
    "forbidden": Kind(403, "The credential does not allow this", "Use a credential with the scope named.", "no"),
    "not-found": Kind(404, "There is nothing at this path", "Check the path; there is no trailing slash.", "no"),
    "user-not-found": Kind(404, "There is no such user", "Check the id; the user may have been deleted.", "no"),
    "method-not-allowed": Kind(405, "The path does not know this method", "Use a method that `Allow` names.", "no"),
    "email-taken": Kind(409, "Another user has this email", "Use another email, or change that user.", "no"),
    "request-in-progress": Kind(
        409,
        "A request with this Idempotency-Key is still in flight",
        "Repeat after `Retry-After`.",
        "yes, unchanged",
    ),
    "precondition-failed": Kind(
        412,
        "The user is at another version",
        "Read it again, merge, and repeat with the new ETag.",
        "after a read",
    ),
    "body-too-large": Kind(413, "The body is too large", "Send a smaller body.", "no"),
    "unsupported-media-type": Kind(415, "The body is not JSON", "Send `Content-Type: application/json`.", "no"),
    "idempotency-key-reused": Kind(
        422, "This Idempotency-Key was used with another body", "Use a fresh key for a new request.", "no"
    ),
    "too-many-requests": Kind(429, "Too many requests", "Slow down; repeat after `Retry-After`.", "yes, later"),
    "internal-error": Kind(
        500,
        "Something broke on our side",
        "Report the `request_id`.",
        "yes if idempotent or with an Idempotency-Key",
    ),
    "bad-upstream": Kind(
        502,
        "The service behind the gateway broke off",
        "Repeat.",
        "yes if idempotent or with an Idempotency-Key",
    ),
    "store-unavailable": Kind(
        503,
        "The store does not answer",
        "Repeat after `Retry-After`.",
        "yes if idempotent or with an Idempotency-Key",
    ),
    "upstream-unavailable": Kind(
        503,
        "The gateway cannot take this request now",
        "Repeat after `Retry-After`.",
        "yes, nothing was done",
    ),
    "upstream-timeout": Kind(
        504,
        "The service behind the gateway took too long",
        "Repeat.",
        "yes if idempotent or with an Idempotency-Key",
    ),
}

CODES = [(code, kind.title) for code, kind in KINDS.items()]

FIELD_CODES = (
    "blank",
    "control",
    "invalid",
    "invalid_choice",
    "max_length",
    "max_value",
    "min_value",
    "null",
    "read_only",
    "required",
    "unknown",
)
"""The codes in `errors`. A validator's other codes become `invalid`."""

RETRY_AFTER: Headers = [(b"retry-after", b"1")]


class Problem(Exception):
    """An error with a code of `KINDS`. `errors` as in the contract; `headers` go out with the answer."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Headers | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.status = status or KINDS[code].status
        self.code, self.detail, self.errors = code, detail, errors
        self.headers = headers or (RETRY_AFTER if KINDS[code].status == 503 or code == "request-in-progress" else [])


def response(request: "Request", problem: Problem, *, as_page: bool = True) -> HttpResponse:
    """The problem as an answer to this request; `as_page`: readable HTML for a browser in dev."""
    body = document(problem, request.client_path, request.request_id)
    status = problem.status
    if as_page and settings.DEBUG and request.wants_page:
        return RawResponse(status, [(b"content-type", b"text/html; charset=utf-8"), *problem.headers], page(body))
    return RawResponse(status, [(b"content-type", b"application/problem+json"), *problem.headers], orjson.dumps(body))


def document(problem: Problem, path: str, request_id: str) -> dict[str, Any]:
    """The RFC 9457 object."""
    kind = KINDS[problem.code]
    body: dict[str, Any] = {
        "type": f"/problems#{problem.code}",
        "title": kind.title,
        "status": problem.status,
        "detail": problem.detail or kind.title + ".",
        "instance": path,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.status == 400:
        body["errors"] = problem.errors or []
    return body


def page(body: dict[str, Any]) -> bytes:
    """The problem for a person with a browser, in dev only."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(orjson.dumps(value).decode() if name == 'errors' else str(value))}"
        "</code></dd>"
        for name, value in body.items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{body['status']} {escape(body['title'])}</title>"
        f"<h1>{body['status']} {escape(body['title'])}</h1><p>{escape(body['detail'])}<dl>{rows}</dl>"
    ).encode()


def from_exception(error: Exception) -> Problem:
    """The problem that an exception of Django's, DRF's or ours means; what nobody expected is a logged 500."""
    match error:
        case Problem():
            return error
        case Refusal(status=503):
            return Problem(settings.OVERLOAD_PROBLEM, error.reason)
        case Refusal():
            return Problem("malformed-request", error.reason, status=error.status)
        case Http404() | drf.NotFound():
            return Problem("not-found", "No resource has this path.")
        case drf.ParseError():
            return Problem("malformed-request", str(error.detail))
        case drf.ValidationError():
            return Problem(
                "validation-error",
                "Some fields are not valid.",
                errors=field_errors(error.get_full_details()),
            )
        case drf.UnsupportedMediaType():
            return Problem("unsupported-media-type", str(error.detail))
        case drf.MethodNotAllowed():
            return Problem("method-not-allowed", str(error.detail))
        case SuspiciousOperation():
            return Problem("malformed-request")
    logger.error("unhandled exception", exc_info=error)
    return Problem("internal-error", "The error is logged under this request ID.")


def field_errors(details: Any, field: str = "") -> list[dict[str, str]]:
    """DRF's nested details, flattened to `[{"field", "code", "detail"}]`."""
    if isinstance(details, dict) and {"message", "code"} == details.keys():
        code = str(details["code"])
        return [
            {
                "field": field,
                "code": code if code in FIELD_CODES else "invalid",
                "detail": str(details["message"]),
            }
        ]
    if isinstance(details, dict):
        return [
            e
            for name, value in details.items()
            for e in field_errors(value, name if name != "non_field_errors" else "")
        ]
    return [e for value in details for e in field_errors(value, field)]


def drf_exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's hook: the same problem, for what runs through DRF's own dispatch (the browsable API)."""
    return response(context["request"]._request, from_exception(error))
