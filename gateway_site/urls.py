"""The gateway's paths."""

from typing import Any

from django.urls import URLPattern, path

from common.openapi import docs
from gateway_site import pages
from gateway_site.guard.scrape import scrape


def urlpatterns(settings: Any) -> list[URLPattern]:
    """Users behind the gateway, and its own pages."""
    from gateway_site.forwarding.view import users

    index = pages.index
    if settings.STATUS_PAGE:
        from gateway_site.status import page

        index = page.index
    return [
        path("api/users/<str:id>", users),
        path("api/users", users),
        *docs.urlpatterns("api/"),
        path("metrics", scrape),
        path("", index),
        path("problems", pages.problems),
    ]
