"""The gateway's paths."""

from django.urls import include, path

from common.http import docs
from gateway_site import pages, settings
from gateway_site.forwarding.view import users
from gateway_site.guard.scrape import scrape

index = pages.index

if settings.STATUS_PAGE:
    from gateway_site.status import page

    index = page.index

urlpatterns = [
    path("api/users/<str:id>", users),
    path("api/users", users),
    *docs.urlpatterns("api/"),
    path("metrics", scrape),
    path("", include("common.http.urls")),
    path("", index),
    path("problems", pages.problems),
]
