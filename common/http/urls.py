"""The paths that both sites have."""

from django.urls import path

from common.http import static, version
from common.observability import health, metrics

urlpatterns = [
    path("health", health.health),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", metrics.metrics),
    path("version", version.version),
    *static.urlpatterns,
]
