"""The operations on users in the schemas of both sites."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
)

from common.openapi.components import (
    GIVEN_REQUEST_ID,
    always_sent,
    header,
    problem_responses,
    sent,
)
from users_contract.contracts import EMAIL_MAX, UserPageSerializer, UserSerializer

USER = {
    "id": "01a2071d-b8eb-7000-8615-8f9822f611e9",
    "name": "Ana Gómez",
    "email": "ana@example.com",
    "role": "user",
    "created_at": "2026-11-23T06:35:18.123441Z",
    "updated_at": "2026-11-23T06:35:18.123441Z",
}
ETAG = '"9ff3560b478471cb5950fd7cc6c935c32d6b7da8"'
EXAMPLES: dict[str, Any] = {
    "ETag": ETAG,
    "Idempotency-Key": "5f7c1e0a-signup",
    "Idempotency-Replayed": "true",
    "If-Match": ETAG,
    "If-None-Match": ETAG,
    "Location": f"http://localhost:3000/api/users/{USER['id']}",
    "X-Durability": "memory",
    "count": False,
    "cursor": "bjAxYTIwNzFk",
    "email": USER["email"],
    "id": USER["id"],
    "limit": 20,
}
TAGS = [{"name": "users", "description": "Create, find, change and delete users."}]

IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "The same key and body within 24 h gives the first answer again. 1-255 visible ASCII characters.",
    pattern=r"^[!-~]{1,255}$",
)
ONE_USER = [
    # No model says that it is a UUID (tfranzel/drf-spectacular#999).
    OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The user's id."),
    header("If-Match", "The answer is 412 unless the ETag is one of these."),
    header("If-None-Match", "If the ETag is one of these, the answer to a GET is 304 and to a change 412."),
]

EVERYWHERE = ("malformed-request", "method-not-allowed", "internal-error", "store-unavailable")
"""405: a client made from a newer schema gets it from an older service."""
BODY = ("validation-error", "body-too-large", "unsupported-media-type")
WRITTEN = {"name": USER["name"], "email": USER["email"], "role": "user"}

QUERY = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        description="The largest number of users on the page.",
    ),
    OpenApiParameter("cursor", {"type": "string", "minLength": 1}, description="From a page's `next` or `previous`."),
    OpenApiParameter(
        "count", {"type": "boolean", "default": True}, description="Whether the page has `count`; `false` is cheaper."
    ),
    OpenApiParameter(
        "email",
        {"type": "string", "maxLength": EMAIL_MAX},
        description="Only the user with this email, in any case. Cannot be combined with `cursor`.",
    ),
]


OwnHeaders = Callable[[list[str]], list[OpenApiParameter]]


def user_response(status: int, description: str) -> dict[tuple[int, str], OpenApiResponse]:
    return {
        (status, "application/json"): OpenApiResponse(
            UserSerializer,
            description=description,
            examples=[OpenApiExample("user", value=USER, response_only=True, status_codes=[str(status)])],
        )
    }


def nothing(status: int, description: str) -> dict[int, OpenApiResponse]:
    return {status: OpenApiResponse(None, description=description)}


PAGE = OpenApiResponse(
    # Not a list of pages, as drf-spectacular would describe an action named `list`.
    extend_schema_serializer(many=False)(UserPageSerializer),
    description="A page of users, newest first.",
    examples=[
        OpenApiExample(
            "page",
            value={
                "count": 1,
                "next": None,
                "previous": None,
                "next_cursor": None,
                "previous_cursor": None,
                "results": [USER],
            },
            response_only=True,
        )
    ],
)
JSON_BODY = {"application/json": UserSerializer}
PATCH_BODY = {"application/json": UserSerializer, "application/merge-patch+json": UserSerializer}
BODY_EXAMPLE = OpenApiExample("user", value=WRITTEN, request_only=True)
PATCH_EXAMPLES = [
    OpenApiExample("rename", value={"name": "Ana María Gómez"}, request_only=True, media_type=media_type)
    for media_type in PATCH_BODY
]


def finish_users(generated: dict[str, Any]) -> None:
    """Describes PATCH (RFC 7396): null removes a field, which then has its default."""
    properties = generated["components"]["schemas"]["PatchedUserRequest"]["properties"]
    properties["role"] = {
        "oneOf": [{"$ref": "#/components/schemas/Role"}, {"type": "null"}],
        "description": "What the user may do; null is the default.",
    }


ONE, CONFLICT, MATCH = ("user-not-found",), ("email-taken",), ("precondition-failed",)
ETAGGED = sent("ETag", "The user's version, a strong validator.", ["200", "201", "304"], required=True)
DURABLE = sent(
    "X-Durability",
    "How durable the change is: `memory`, `fsync` or `replicated`.",
    ["200", "201", "204"],
    required=True,
)

OPERATIONS: dict[str, dict[str, Any]] = {
    "list": {
        "operation_id": "list_users",
        "summary": "List users",
        "ok": {(200, "application/json"): PAGE},
        "codes": ("validation-error",),
        "parameters": QUERY,
        "filters": False,
    },
    "create": {
        "operation_id": "create_user",
        "summary": "Create a user",
        "ok": user_response(201, "The user was created."),
        "codes": (*BODY, *CONFLICT, "request-in-progress", "idempotency-key-reused"),
        "parameters": [
            IDEMPOTENCY_KEY,
            ETAGGED,
            DURABLE,
            sent("Location", "The user's path.", ["201"], required=True),
            sent("Idempotency-Replayed", "`true` if this is the first answer again.", ["201"]),
        ],
        "request": JSON_BODY,
        "examples": [BODY_EXAMPLE],
    },
    "retrieve": {
        "operation_id": "get_user",
        "summary": "Get a user",
        "ok": {**user_response(200, "The user."), **nothing(304, "Still at the version that If-None-Match names.")},
        "codes": (*ONE, *MATCH),
        "parameters": [*ONE_USER, ETAGGED],
    },
    "update": {
        "operation_id": "replace_user",
        "summary": "Replace a user",
        "ok": user_response(200, "The user with all fields replaced."),
        "codes": (*BODY, *ONE, *CONFLICT, *MATCH),
        "parameters": [*ONE_USER, ETAGGED, DURABLE],
        "request": JSON_BODY,
        "examples": [BODY_EXAMPLE],
    },
    "partial_update": {
        "operation_id": "update_user",
        "summary": "Change fields of a user",
        "ok": user_response(200, "The user with the given fields changed (RFC 7396)."),
        "codes": (*BODY, *ONE, *CONFLICT, *MATCH),
        "parameters": [*ONE_USER, ETAGGED, DURABLE],
        "request": PATCH_BODY,
        "examples": PATCH_EXAMPLES,
    },
    "destroy": {
        "operation_id": "delete_user",
        "summary": "Delete a user",
        "ok": nothing(204, "The user is gone."),
        "codes": (*ONE, *MATCH),
        "parameters": [*ONE_USER, DURABLE],
    },
}
"""By the actions of the viewset."""


def describe_users(extra_codes: tuple[str, ...] = (), headers: OwnHeaders = lambda statuses: []) -> Callable[..., Any]:
    """Decorates a viewset of users. `extra_codes`: the site's own problems; `headers`: its own headers by status."""
    return extend_schema_view(
        **{action: _operation(extra_codes, headers, **definition) for action, definition in OPERATIONS.items()}
    )


def _operation(
    extra_codes: tuple[str, ...],
    headers: OwnHeaders,
    *,
    ok: Any,
    codes: tuple[str, ...],
    parameters: list[Any],
    **options: Any,
) -> Any:
    responses = {**ok, **problem_responses((*EVERYWHERE, *codes, *extra_codes))}
    statuses = sorted({str(key[0] if isinstance(key, tuple) else key) for key in responses})
    retried = [status for status in statuses if status in {"409", "429", "503"}]
    carried = [
        GIVEN_REQUEST_ID,
        *always_sent(statuses),
        sent("Retry-After", "Seconds to wait before the next try.", retried, type=OpenApiTypes.INT),
        *headers(statuses),
    ]
    return extend_schema(responses=responses, parameters=[*parameters, *carried], tags=["users"], **options)
