"""What operations share: problems, parameters, response headers, examples."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from common.http.problems import CODES, KINDS, Problem, document

REQUEST_ID = "0b7ab6e2-5f0c-4c7e-9a43-3e8a4f4f2c11"
USER = {
    "id": "01a2071d-b8eb-7000-8615-8f9822f611e9",
    "name": "Ana Gómez",
    "email": "ana@example.com",
    "role": "user",
    "created_at": "2026-11-23T06:35:18.123441Z",
    "updated_at": "2026-11-23T06:35:18.123441Z",
}
ETAG = '"9ff3560b478471cb5950fd7cc6c935c32d6b7da8"'
PROBLEM = "application/problem+json"

REQUEST_ID_PATTERN = r"^[A-Za-z0-9._-]{1,128}$"
ETAG_PATTERN = r'^"[!#-~]+"$'


class FieldErrorSerializer(serializers.Serializer[Any]):
    """One fault of a request."""

    field = serializers.CharField(allow_blank=True, help_text="Which field; empty for the whole request.")
    code = serializers.CharField(help_text="What is wrong, for programs.")
    detail = serializers.CharField(help_text="What is wrong, for people.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField(help_text="A path of the gateway that explains the code.")
    title = serializers.CharField()
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path that the client asked for.")
    code = serializers.ChoiceField(choices=CODES)
    request_id = serializers.CharField()
    errors = FieldErrorSerializer(  # type: ignore[assignment]
        many=True, required=False, help_text="With status 400: each fault."
    )


def header(name: str, description: str, **options: Any) -> OpenApiParameter:
    """A request header that may be sent."""
    return OpenApiParameter(
        name, options.pop("type", OpenApiTypes.STR), OpenApiParameter.HEADER, description=description, **options
    )


def sent(name: str, description: str, statuses: list[str], **options: Any) -> OpenApiParameter:
    """A response header."""
    return header(name, description, response=statuses, **options)


IF_MATCH = header("If-Match", "Only if the user still is at this version, else 412.")
IF_NONE_MATCH = header("If-None-Match", "304 if the user still is at this version.")
IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "The same key and body again within 24 h is the first answer again.",
    pattern=r"^[!-~]{1,255}$",
)
GIVEN_REQUEST_ID = header("X-Request-ID", "Kept if it is 1-128 of `A-Za-z0-9._-`, else replaced.")


def problem_response(status: int, codes: tuple[str, ...], path: str) -> OpenApiResponse:
    """The answer with one of these codes."""
    texts = [f"`{code}`: {KINDS[code].title.lower()}" for code in codes]
    return OpenApiResponse(
        ProblemSerializer,
        description="; ".join(texts) + ".",
        examples=[
            OpenApiExample(
                code, value=document(Problem(code), path, REQUEST_ID), response_only=True, status_codes=[str(status)]
            )
            for code in codes
        ],
    )


def problem_responses(codes: tuple[str, ...], path: str) -> dict[tuple[int, str], OpenApiResponse]:
    """Answers by status and media type, for all codes that an operation may end in."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        (status, PROBLEM): problem_response(status, tuple(found), path) for status, found in sorted(by_status.items())
    }
