"""GET /metrics: django-prometheus's export, in a thread because it takes milliseconds."""

import asyncio
from collections.abc import Sequence

from django.http import HttpResponse
from django_prometheus.exports import ExportToDjangoView
from prometheus_client.exposition import choose_encoder

from common.http.health import Step
from common.http.request import Request
from common.http.response import Response
from common.http.views import View, safe
from common.observability import metrics
from common.observability.durations import MULTIPROCESS


def metrics_view(before_scrape: Sequence[Step]) -> View:
    """The view. `before_scrape` is awaited first; each bounds its own time and raises nothing."""

    @safe
    async def view(request: Request) -> Response:
        for look_up in before_scrape:
            await look_up()
        metrics.sample_process()
        return await asyncio.to_thread(_export, request)

    return view


def _export(request: Request) -> HttpResponse:
    accept = request.header(b"accept") or ""
    is_plain = "openmetrics" not in accept
    if is_plain and not MULTIPROCESS:
        response: HttpResponse = ExportToDjangoView(request.django)
        return response
    # Only OpenMetrics has exemplars. With several workers, our own collectors must be in the registry too.
    try:
        generate, content_type = choose_encoder("" if is_plain else accept)
    except TypeError:  # the version is not a number
        generate, content_type = choose_encoder("")
    return HttpResponse(generate(metrics.registry()), content_type=content_type)
