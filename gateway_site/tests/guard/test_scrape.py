"""/metrics is for scrapers, which connect directly; through a proxy it is 404."""

import pytest

from gateway_site.tests.guard.conftest import Start
from tests.serving import Served
from tests.wire import exchange, get


@pytest.mark.parametrize("trusted", ["", "127.0.0.0/8"])
@pytest.mark.parametrize(
    "field", ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9"]
)
def test_metrics_are_closed_to_what_a_proxy_passes_on(
    start: Start, open_gateway: Served, trusted: str, field: str
) -> None:
    if not trusted:
        assert exchange(open_gateway.port, get("/metrics", field)).status == 404
        return
    with start(TRUSTED_PROXIES=trusted) as gateway:
        answer = exchange(gateway.port, get("/metrics", field))
        assert (answer.status, answer.json()["code"]) == (404, "not-found")
        assert exchange(gateway.port, get("/metrics")).status == 200, "a scraper in the same network"
        assert exchange(gateway.port, get("/health/live", field)).status == 200
