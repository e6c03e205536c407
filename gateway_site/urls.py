"""The gateway's own paths. Those of the services behind it are in the table (routes/)."""

from django.urls import URLPattern, path

from common.http.views import View
from common.openapi import docs
from gateway_site import pages
from gateway_site.forwarding.door import Door


def urlpatterns(index: View, scrape: View, door: Door) -> list[URLPattern]:
    return [
        *docs.urlpatterns("api/", lambda: (door.table.routes,)),
        path("metrics", scrape),
        path("", index),
        path("problems", pages.problems),
    ]
