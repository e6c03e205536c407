"""The user service's OpenAPI schema."""

from rest_framework.routers import SimpleRouter

from common.openapi.service import urlpatterns as service_patterns
from users_contract.openapi import EXAMPLES, TAGS, describe_users
from users_contract.openapi import finish_users as finish
from users_site.views import UserViewSet

__all__ = ["EXAMPLES", "INFO", "TAGS", "finish", "urlpatterns"]  # read by common.openapi.generate

INFO = {
    "title": "User service",
    "description": "Users, kept in Redis. Clients go through the gateway in front of it.",
}


@describe_users()
class DescribedUserViewSet(UserViewSet):
    """The viewset that answers, with descriptions for the generator."""


router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("users", DescribedUserViewSet, basename="user")

urlpatterns = [*router.urls, *service_patterns]
