"""The gateway's paths."""

from django.urls import include, path

from common import docs
from gateway_site import pages
from gateway_site.views import forward

urlpatterns = [
    path("api/users/<str:id>", forward),
    path("api/users", forward),
    *docs.urlpatterns("api/"),
    path("", include("common.urls")),
    path("", pages.index),
    path("problems", pages.problems),
]
