"""The user service's paths."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from common.http import docs
from users_site.views import UserViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("users", UserViewSet, basename="user")

urlpatterns = [*router.urls, *docs.urlpatterns(), path("", include("common.http.urls"))]
