"""Parts that operations share: problems, parameters, response headers, examples."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from common.http.problem import FIELD_CODES, KINDS, Problem, document

CODES = [(code, kind.title) for code, kind in KINDS.items()]
"""All codes: the apps have registered theirs before this is imported."""

REQUEST_ID = "0b7ab6e2-5f0c-4c7e-9a43-3e8a4f4f2c11"
PROBLEM = "application/problem+json"
INSTANCE = "/api/users"

EXAMPLES: dict[str, Any] = {
    "Allow": "GET, HEAD, OPTIONS",
    "RateLimit": '"default";r=99;t=1',
    "RateLimit-Policy": '"default";q=100;w=1',
    "Retry-After": 1,
    "WWW-Authenticate": 'Bearer realm="api-gateway"',
    "X-Request-ID": REQUEST_ID,
}
"""An example for each shared parameter and header."""


class FieldErrorSerializer(serializers.Serializer[Any]):
    """One error of a request."""

    field = serializers.CharField(allow_blank=True, help_text="Which field; empty for the whole request.")
    code = serializers.ChoiceField(choices=FIELD_CODES, help_text="What is wrong, for programs.")
    detail = serializers.CharField(help_text="What is wrong, for people.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField(help_text="A path of the gateway that explains the code.")
    title = serializers.CharField()
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path that the client requested.")
    code = serializers.ChoiceField(choices=CODES)
    request_id = serializers.CharField()
    errors = FieldErrorSerializer(  # type: ignore[assignment]
        many=True, required=False, help_text="With status 400: each fault."
    )


def header(name: str, description: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, options.pop("type", OpenApiTypes.STR), OpenApiParameter.HEADER, description=description, **options
    )


def sent(name: str, description: str, statuses: list[str], **options: Any) -> OpenApiParameter:
    return header(name, description, response=statuses, **options)


def always_sent(statuses: list[str]) -> list[OpenApiParameter]:
    return [
        sent("X-Request-ID", "The request's ID, also in the logs.", statuses, required=True),
        sent("Allow", "The methods of the path.", ["405"], required=True),
    ]


GIVEN_REQUEST_ID = header("X-Request-ID", "An ID of 1-128 characters of `A-Za-z0-9._-` is kept; any other is replaced.")


def problem_responses(codes: tuple[str, ...]) -> dict[tuple[int, str], OpenApiResponse]:
    """Answers by status and media type, for all codes of an operation and for refusals of the HTTP parser."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(KINDS[code].status, []).append(code)
    answers = {
        status: _answer(status, found, "; ".join(f"`{code}`: {KINDS[code].title.lower()}" for code in found))
        for status, found in sorted(by_status.items())
    }
    for status, what in ((414, "the URL is too long"), (431, "the header is too large")):
        answers[status] = _answer(status, ["malformed-request"], f"`malformed-request`: {what}")
    return {(status, PROBLEM): answer for status, answer in answers.items()}


def _answer(status: int, codes: list[str], description: str) -> OpenApiResponse:
    examples = [
        OpenApiExample(code, value=_document(code, status), response_only=True, status_codes=[str(status)])
        for code in codes
    ]
    return OpenApiResponse(ProblemSerializer, description=f"{description}.", examples=examples)


def _document(code: str, status: int) -> dict[str, Any]:
    errors = [{"field": "email", "code": "invalid", "detail": "Enter a valid email address."}]
    problem = Problem(code, errors=errors if code == "validation-error" else None)
    return {**document(problem, INSTANCE, REQUEST_ID), "status": status}
