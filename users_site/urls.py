from functools import partial
from typing import Any

from django.urls import URLPattern, path

from common.openapi import docs
from users_site.repository.users import UserRepository
from users_site.views import UserViewSet

ONE = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}


def urlpatterns(users: UserRepository, settings: Any) -> list[URLPattern]:
    view = partial(UserViewSet.as_view, users=users, durability=settings.DURABILITY)
    return [
        path("users", view({"get": "list", "post": "create"})),
        path("users/<str:id>", view(ONE, detail=True)),
        *docs.urlpatterns(),
    ]
