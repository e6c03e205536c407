"""The paths that both sites have."""

from django.urls import path

from common import health, metrics, static, version

urlpatterns = [
    path("health", health.health),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", metrics.metrics),
    path("version", version.version),
    *static.urlpatterns,
]
