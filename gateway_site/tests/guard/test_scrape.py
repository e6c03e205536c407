"""/metrics is for scrapers, which connect directly; through a proxy it is 404."""

import pytest

from gateway_site.tests.guard.conftest import Start
from tests.wire import exchange, get


@pytest.mark.parametrize("trusted", ["", "127.0.0.0/8"])
def test_metrics_are_closed_to_what_a_proxy_passes_on(start: Start, trusted: str) -> None:
    with start(TRUSTED_PROXIES=trusted) as gateway:
        for name, value in (("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=1"), ("X-Real-IP", "203.0.113.9")):
            answer = exchange(gateway.port, get("/metrics", f"{name}: {value}"))
            assert (answer.status, answer.json()["code"]) == (404, "not-found")
        assert exchange(gateway.port, get("/metrics")).status == 200, "a scraper in the same network"
        assert exchange(gateway.port, get("/health/live", "X-Forwarded-For: 203.0.113.9")).status == 200
