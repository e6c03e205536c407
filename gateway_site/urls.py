"""The gateway's own paths. Those of the services behind it are in the table (routes/)."""

from django.urls import URLPattern, path

from common.http.views import View
from common.openapi import docs
from gateway_site import pages
from gateway_site.forwarding.router import Router


def urlpatterns(index: View, scrape: View, router: Router) -> list[URLPattern]:
    return [
        *docs.urlpatterns("api/", lambda: (router.table.routes,)),
        path("metrics", scrape),
        path("", index),
        path("problems", pages.problems),
    ]
