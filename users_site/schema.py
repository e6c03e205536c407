"""The user service's OpenAPI schema."""

from rest_framework.routers import SimpleRouter

from common.openapi.inspector import PathSchema
from common.openapi.service import urlpatterns as service_patterns
from users_contract.openapi import describe_users, finish_users
from users_site.views import UserViewSet

INFO = {
    "title": "User service",
    "description": "Users, kept in Redis. Clients go through the gateway; this is what stands behind it.",
}


@describe_users()
class DescribedUserViewSet(UserViewSet):
    """The viewset that answers, with what the generator needs to know."""

    schema = PathSchema()


router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("users", DescribedUserViewSet, basename="user")

urlpatterns = [*router.urls, *service_patterns]

finish = finish_users
