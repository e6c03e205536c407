"""/metrics, closed to what comes through a proxy: it tells of traffic, versions and load, and scrapers come straight."""

from django.http import Http404

from common.http.metrics import metrics_view
from common.http.request import Request
from common.http.response import Response
from common.http.views import safe

PROXIED = (b"x-forwarded-for", b"forwarded", b"x-real-ip")
"""What proxies add and no scraper sends. Not the peer's address: TRUSTED_PROXIES is often the network of all pods."""


_metrics = metrics_view(())


@safe
async def scrape(request: Request) -> Response:
    """The exposition. Raises Http404."""
    if any(name in request.raw_headers for name in PROXIED):
        raise Http404
    response: Response = await _metrics(request)
    return response
