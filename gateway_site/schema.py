"""The gateway's OpenAPI schema: what a client of the gateway sees, its own statuses included."""

from typing import Any

from django import conf
from django.urls import include, path
from drf_spectacular.utils import OpenApiParameter
from rest_framework.routers import SimpleRouter

from common.http.viewsets import AsyncViewSet
from common.openapi.components import sent
from common.openapi.service import urlpatterns as service_patterns
from gateway_site.routes import openapi
from gateway_site.routes.table import USERS, Route
from users_contract.contracts import UserSerializer
from users_contract.openapi import EXAMPLES, TAGS, describe_users, finish_users

settings: Any = conf.settings  # mypy's plugin reads only the user service's settings

__all__ = ["EXAMPLES", "INFO", "TAGS", "finish", "urlpatterns"]  # read by common.openapi.generate

INFO = {
    "title": "API gateway",
    "description": "The only door to users.",
}

OWN_CODES = (
    "unauthenticated",
    "forbidden",
    "body-too-large",
    "too-many-requests",
    "bad-upstream",
    "upstream-unavailable",
    "upstream-timeout",
)


def own_headers(statuses: list[str]) -> list[OpenApiParameter]:
    """The header fields that only the gateway sends."""
    return [
        sent("WWW-Authenticate", "How to authenticate.", ["401"]),
        sent("RateLimit", "What is left of the limit, where one is set.", statuses),
        sent("RateLimit-Policy", "The limit, where one is set.", statuses),
    ]


@describe_users(OWN_CODES, own_headers)
class DescribedUserViewSet(AsyncViewSet):
    """For the generator: the operations of users that the gateway forwards. A test calls each at the running gateway."""

    serializer_class = UserSerializer
    lookup_field = lookup_url_kwarg = "id"

    async def list(self, request: Any) -> None:
        """A page of users, newest first, or the one with the given email."""

    async def create(self, request: Any) -> None:
        """Creates a user."""

    async def retrieve(self, request: Any, id: str) -> None:
        """One user."""

    async def update(self, request: Any, id: str) -> None:
        """Replaces all fields of a user."""

    async def partial_update(self, request: Any, id: str) -> None:
        """Changes the fields given."""

    async def destroy(self, request: Any, id: str) -> None:
        """Deletes a user."""


SCHEMES = {
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of the issuer (JWT) where the gateway has AUTH=jwt, an API key where it has AUTH=apikey.",
    },
    "apiKeyAuth": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key, where the gateway has AUTH=apikey.",
    },
}


def finish(generated: dict[str, Any], routes: tuple[Route, ...] = ()) -> None:
    """Adds the authentication that AUTH requires (with AUTH=none a credential is optional), and the routes' schemas;
    without `routes` those of the start."""
    usable = [name for name in SCHEMES if name != "apiKeyAuth" or "apikey" in (settings.AUTH or "apikey")]
    finish_users(generated)
    schemas = generated["components"].pop("schemas")
    schemes = {name: SCHEMES[name] for name in usable}
    generated["components"] = {"schemas": schemas, "securitySchemes": schemes, **generated["components"]}
    routes = routes or settings.ROUTES.routes
    users = next(route for route in routes if route.prefix == USERS)
    ways: list[dict[str, list[str]]] = [{name: []} for name in usable]
    ways = ways if settings.AUTH else [{}, *ways]
    for path_template, operations in generated["paths"].items():
        if path_template.startswith("/api/"):
            for method, operation in operations.items():
                operation["description"] += f" Needs the scope `{users.scope_for(method.upper())}`."
                operation["security"] = ways
    for route in routes:
        if route.schema:
            openapi.add(generated, route, ways)


router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("users", DescribedUserViewSet, basename="user")

urlpatterns = [path("api/", include(router.urls)), *service_patterns]
