"""The operations on users, as either site's clients see them."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.openapi import AutoSchema
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
    parser_refusals,
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
CONDITIONS = [
    header("If-Match", "The answer is 412 unless the ETag is one of these."),
    header("If-None-Match", "If the ETag is one of these, the answer to a GET is 304 and to a change 412."),
]
USER_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The user's id.")

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


class UserSchema(AutoSchema):
    """Adds that the path parameter is a UUID: there is no model to ask (tfranzel/drf-spectacular#999)."""

    def get_override_parameters(self) -> list[Any]:
        """The parameters of the decorators, and the id where the path has one."""
        return [*super().get_override_parameters(), *([USER_ID] if "{id}" in self.path else [])]


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
    """RFC 7396: null removes the role, and the user gets the default one."""
    generated["components"]["schemas"]["PatchedUserRequest"]["properties"]["role"] = {
        "oneOf": [{"$ref": "#/components/schemas/Role"}, {"type": "null"}],
        "description": "What the user may do; null is the default.",
    }


def describe_users(
    extra_codes: tuple[str, ...] = (),
    headers: Callable[[list[str]], list[OpenApiParameter]] = lambda statuses: [],
) -> Callable[..., Any]:
    """Decorates a viewset of users. `extra_codes`: the site's own problems; `headers`: its own headers by status."""

    def operation(
        operation_id: str, summary: str, ok: Any, codes: tuple[str, ...], parameters: list[Any], **options: Any
    ) -> Any:
        responses = {
            **ok,
            **problem_responses((*EVERYWHERE, *codes, *extra_codes)),
            **parser_refusals(),
        }
        statuses = sorted({str(key[0] if isinstance(key, tuple) else key) for key in responses})
        retried = [s for s in statuses if s in {"409", "429", "503"}]
        carried = [
            GIVEN_REQUEST_ID,
            *always_sent(statuses),
            sent("Retry-After", "Seconds to wait before the next try.", retried, type=OpenApiTypes.INT),
            *headers(statuses),
        ]
        return extend_schema(
            operation_id=operation_id,
            summary=summary,
            responses=responses,
            parameters=[*parameters, *carried],
            tags=["users"],
            **options,
        )

    etag = sent(
        "ETag",
        "The user's version, a strong validator.",
        ["200", "201", "304"],
        required=True,
    )
    durability = sent(
        "X-Durability",
        "How durable the change is: `memory`, `fsync` or `replicated`.",
        ["200", "201", "204"],
        required=True,
    )
    one = ("user-not-found",)
    conflict = ("email-taken",)
    match = ("precondition-failed",)
    return extend_schema_view(
        list=operation(
            "list_users", "List users", {(200, "application/json"): PAGE}, ("validation-error",), QUERY, filters=False
        ),
        create=operation(
            "create_user",
            "Create a user",
            user_response(201, "The user was created."),
            (*BODY, *conflict, "request-in-progress", "idempotency-key-reused"),
            [
                IDEMPOTENCY_KEY,
                etag,
                durability,
                sent("Location", "The user's path.", ["201"], required=True),
                sent("Idempotency-Replayed", "`true` if this is the first answer again.", ["201"]),
            ],
            request=JSON_BODY,
            examples=[BODY_EXAMPLE],
        ),
        retrieve=operation(
            "get_user",
            "Get a user",
            {**user_response(200, "The user."), **nothing(304, "Still at the version that If-None-Match names.")},
            (*one, *match),
            [*CONDITIONS, etag],
        ),
        update=operation(
            "replace_user",
            "Replace a user",
            user_response(200, "The user with all fields replaced."),
            (*BODY, *one, *conflict, *match),
            [*CONDITIONS, etag, durability],
            request=JSON_BODY,
            examples=[BODY_EXAMPLE],
        ),
        partial_update=operation(
            "update_user",
            "Change fields of a user",
            user_response(200, "The user with the given fields changed (RFC 7396)."),
            (*BODY, *one, *conflict, *match),
            [*CONDITIONS, etag, durability],
            request=PATCH_BODY,
            examples=PATCH_EXAMPLES,
        ),
        destroy=operation(
            "delete_user", "Delete a user", nothing(204, "The user is gone."), (*one, *match), [*CONDITIONS, durability]
        ),
    )
