"""The operations on users, as either site's clients see them."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
)

from common.http.problems import Problem, document
from common.openapi.components import (
    ETAG,
    ETAG_PATTERN,
    GIVEN_REQUEST_ID,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    PROBLEM,
    REQUEST_ID,
    REQUEST_ID_PATTERN,
    USER,
    ProblemSerializer,
    problem_responses,
    sent,
)
from users_contract.contracts import EMAIL_MAX, EMAIL_PATTERN, UserPageSerializer, UserSerializer

View = TypeVar("View", bound=type)

EVERYWHERE = ("malformed-request", "method-not-allowed", "internal-error", "store-unavailable")
"""405: what a client made from a newer schema gets of an older service."""
BODY = ("validation-error", "body-too-large", "unsupported-media-type")
WRITTEN = {"name": USER["name"], "email": USER["email"], "role": "admin"}

QUERY = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        description="How many users a page has at most.",
    ),
    OpenApiParameter("cursor", {"type": "string", "minLength": 1}, description="From a page's `next` or `previous`."),
    OpenApiParameter(
        "email",
        {"type": "string", "maxLength": EMAIL_MAX, "pattern": EMAIL_PATTERN},
        description="Only the user with this email, in any case. Does not go with `cursor`.",
    ),
]


def user_response(status: int, description: str) -> dict[tuple[int, str], OpenApiResponse]:
    """A user as the answer."""
    return {
        (status, "application/json"): OpenApiResponse(
            UserSerializer,
            description=description,
            examples=[OpenApiExample("user", value=USER, response_only=True, status_codes=[str(status)])],
        )
    }


def nothing(status: int, description: str) -> dict[int, OpenApiResponse]:
    """An answer without a body."""
    return {status: OpenApiResponse(None, description=description)}


PAGE = OpenApiResponse(
    # Not a list of pages, as drf-spectacular has it of an action named `list`.
    extend_schema_serializer(many=False)(UserPageSerializer),
    description="A page of users, newest first.",
    examples=[
        OpenApiExample(
            "page", value={"count": 1, "next": None, "previous": None, "results": [USER]}, response_only=True
        )
    ],
)
JSON_BODY = {"application/json": UserSerializer}
PATCH_BODY = {"application/json": UserSerializer, "application/merge-patch+json": UserSerializer}
BODY_EXAMPLE = OpenApiExample("user", value=WRITTEN, request_only=True)
PATCH_EXAMPLES = [
    OpenApiExample("promote", value={"role": "admin"}, request_only=True, media_type=media_type)
    for media_type in PATCH_BODY
]


def refused_by_parser(status: int, what: str) -> OpenApiResponse:
    """The answer to a request that the server's parser refused."""
    problem = {**document(Problem("malformed-request"), "/users", REQUEST_ID), "status": status}
    return OpenApiResponse(
        ProblemSerializer,
        description=f"`malformed-request`: {what}.",
        examples=[OpenApiExample("malformed-request", value=problem, response_only=True, status_codes=[str(status)])],
    )


REFUSED_BY_PARSER = {
    (414, PROBLEM): refused_by_parser(414, "the URL is too long"),
    (431, PROBLEM): refused_by_parser(431, "the header is too large"),
}


def describe_users(
    path: str,
    extra_codes: tuple[str, ...] = (),
    headers: Callable[[list[str]], list[OpenApiParameter]] = lambda statuses: [],
) -> Callable[..., Any]:
    """Decorates a viewset of users. `extra_codes`: problems of the site's own; `headers`: of its own, for statuses."""

    def operation(operation_id: str, ok: Any, codes: tuple[str, ...], parameters: list[Any], **options: Any) -> Any:
        responses = {
            **ok,
            **problem_responses((*EVERYWHERE, *codes, *extra_codes), options.pop("at", f"{path}/{USER['id']}")),
            **REFUSED_BY_PARSER,
        }
        statuses = sorted({str(key[0] if isinstance(key, tuple) else key) for key in responses})
        retried = [s for s in statuses if s in {"409", "429", "503"}]
        carried = [
            GIVEN_REQUEST_ID,
            sent(
                "X-Request-ID", "The request's ID, also in logs.", statuses, required=True, pattern=REQUEST_ID_PATTERN
            ),
            sent("Allow", "The methods that the path knows.", ["405"], required=True),
            sent("Retry-After", "Seconds to wait before the next try.", retried, type=OpenApiTypes.INT),
            *headers(statuses),
        ]
        return extend_schema(
            operation_id=operation_id,
            responses=responses,
            parameters=[*parameters, *carried],
            tags=["users"],
            **options,
        )

    etag = sent(
        "ETag",
        f"The version, a strong validator, e.g. {ETAG}.",
        ["200", "201", "304"],
        required=True,
        pattern=ETAG_PATTERN,
    )
    durability = sent(
        "X-Durability",
        "What the change has reached: memory, fsync or replicated.",
        ["200", "201", "204"],
        required=True,
    )
    one = ("user-not-found",)
    conflict = ("email-taken",)
    match = ("precondition-failed",)
    return extend_schema_view(
        list=operation(
            "list_users", {(200, "application/json"): PAGE}, ("validation-error",), QUERY, at=path, filters=False
        ),
        create=operation(
            "create_user",
            user_response(201, "The user was created."),
            (*BODY, *conflict, "request-in-progress", "idempotency-key-reused"),
            [
                IDEMPOTENCY_KEY,
                etag,
                durability,
                sent("Location", "The user's path.", ["201"], required=True),
                sent("Idempotency-Replayed", "`true` if this is the first answer again.", ["201"]),
            ],
            at=path,
            request=JSON_BODY,
            examples=[BODY_EXAMPLE],
        ),
        retrieve=operation(
            "get_user",
            {**user_response(200, "The user."), **nothing(304, "Still at the version that If-None-Match names.")},
            one,
            [IF_NONE_MATCH, etag],
        ),
        update=operation(
            "replace_user",
            user_response(200, "The user with all fields replaced."),
            (*BODY, *one, *conflict, *match),
            [IF_MATCH, etag, durability],
            request=JSON_BODY,
            examples=[BODY_EXAMPLE],
        ),
        partial_update=operation(
            "update_user",
            user_response(200, "The user with the given fields changed (RFC 7396)."),
            (*BODY, *one, *conflict, *match),
            [IF_MATCH, etag, durability],
            request=PATCH_BODY,
            examples=PATCH_EXAMPLES,
        ),
        destroy=operation("delete_user", nothing(204, "The user is gone."), (*one, *match), [IF_MATCH, durability]),
    )
