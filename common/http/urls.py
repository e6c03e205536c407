from collections.abc import Callable, Iterable, Mapping, Sequence

from django.urls import URLPattern, path

from common.http import health, static
from common.http.health import Step
from common.http.metrics import metrics_view


def service_urlpatterns(
    probes: Mapping[str, Step],
    ready_when: Callable[[Iterable[bool]], bool],
    before_scrape: Sequence[Step],
) -> list[URLPattern]:
    return [
        path("health", health.health),
        path("health/live", health.live),
        path("health/ready", health.ready(probes, ready_when)),
        path("metrics", metrics_view(before_scrape)),
        path("version", health.version),
        *static.urlpatterns(),
    ]
