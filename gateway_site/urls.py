"""The gateway's paths."""

from django.urls import URLPattern, path

from common.http.views import View
from common.openapi import docs
from gateway_site import pages


def urlpatterns(users: View, index: View, scrape: View) -> list[URLPattern]:
    """`users` is the view of both users paths."""
    return [
        path("api/users/<str:id>", users),
        path("api/users", users),
        *docs.urlpatterns("api/"),
        path("metrics", scrape),
        path("", index),
        path("problems", pages.problems),
    ]
