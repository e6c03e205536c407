"""The gateway's own paths. Those of the services behind it are in the table (routes/)."""

from django.urls import URLPattern, path

from common.http.views import View
from common.openapi import docs
from gateway_site import pages


def urlpatterns(index: View, scrape: View) -> list[URLPattern]:
    return [
        *docs.urlpatterns("api/"),
        path("metrics", scrape),
        path("", index),
        path("problems", pages.problems),
    ]
