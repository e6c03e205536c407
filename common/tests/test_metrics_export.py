"""/metrics in both formats: django-prometheus's text, and OpenMetrics with exemplars for scrapers that ask for it."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from tests.application import application
from tests.in_process import call

OPENMETRICS = b"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (b"*/*", "text/plain", plain),
        (b"text/plain", "text/plain", plain),
        (b"application/openmetrics-text;version=x", "text/plain", plain),
        (OPENMETRICS, "application/openmetrics-text", openmetrics),
    ],
)
async def test_the_format_follows_accept(accept: bytes, content_type: str, parse: type) -> None:
    answer = await call(application(), "/metrics", headers=((b"accept", accept),))
    assert answer.values("content-type")[0].startswith(content_type)
    families = {family.name for family in parse(answer.body.decode())}
    assert families >= {"http_requests", "http_request_duration_seconds", "http_requests_in_flight", "build_info"}
