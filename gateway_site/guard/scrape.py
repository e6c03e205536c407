"""/metrics is closed to requests that came through a proxy: it shows traffic, versions and load; scrapers connect directly."""

from django.http import Http404

from common.http.request import Request
from common.http.response import Response
from common.http.views import View, safe

PROXIED = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
"""Fields that proxies add. The peer's address says less: TRUSTED_PROXIES is often the network of all pods."""


def closed_to_proxies(metrics: View) -> View:
    """The view, with 404 for a request of a proxy."""

    @safe
    async def scrape(request: Request) -> Response:
        if any(name in request.raw_headers for name in PROXIED):
            raise Http404
        response: Response = await metrics(request)
        return response

    return scrape
