"""Label values are closed sets: nothing that a client sends adds one."""

import requests
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.site import SITE, UNKNOWN_USER
from tests.wire import exchange, get
from tools.processes.service import Service

SERVICE = {"gateway_site": "api-gateway", "users_site": "user-service"}[SITE]
ROUTE = UNKNOWN_USER.rpartition("/")[0] + "/{id}"


def samples(service: Service, name: str) -> list[Sample]:
    text = requests.get(f"{service.url}/metrics", timeout=10).text
    return [
        sample for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name
    ]


def counted(service: Service, **labels: str) -> float:
    found = samples(service, "http_requests_total")
    return sum(sample.value for sample in found if labels.items() <= sample.labels.items())


def test_a_request_is_counted_under_its_route_template(site: Service) -> None:
    before = counted(site, route=ROUTE, method="GET")
    status = requests.get(site.url + UNKNOWN_USER, timeout=10).status_code
    assert counted(site, route=ROUTE, method="GET", status_code=str(status)) >= 1
    assert counted(site, route=ROUTE, method="GET") == before + 1


def test_unknown_paths_and_methods_add_no_label_value(site: Service) -> None:
    for number in range(5):
        requests.get(f"{site.url}/nowhere-{number}", timeout=10)
        requests.request(f"BREW{number}", f"{site.url}/version", timeout=10)
        exchange(
            site.port,
            get(f"/parser/{number}", "Content-Length: 1", "Transfer-Encoding: chunked", method=f"TEA{number}"),
        )
    found = samples(site, "http_requests_total")
    routes, methods = ({sample.labels[label] for sample in found} for label in ("route", "method"))
    assert not [route for route in routes if "nowhere" in route or "parser" in route]
    assert not [method for method in methods if "BREW" in method or "TEA" in method]
    assert {"unmatched", "/version"} <= routes
    assert "OTHER" in methods
    assert counted(site, route="/version", method="OTHER", status_code="405") >= 5
    assert counted(site, route="unmatched", method="OTHER", status_code="400") >= 5


def test_probes_and_scrapes_are_counted_and_timed(site: Service) -> None:
    requests.get(f"{site.url}/health/live", timeout=10)
    requests.get(f"{site.url}/metrics", timeout=10)
    for route in ("/health/live", "/metrics"):
        assert counted(site, route=route, status_code="200") >= 1
    timed = {sample.labels["route"] for sample in samples(site, "http_request_duration_seconds_bucket")}
    assert {"/health/live", "/metrics"} <= timed


def test_the_version_the_process_and_its_garbage_collector_are_measured(site: Service) -> None:
    (build,) = samples(site, "build_info")
    assert (build.value, build.labels["service"], build.labels["revision"]) == (1, SERVICE, "unknown")
    assert samples(site, "process_resident_memory_bytes")
    assert samples(site, "python_gc_collections_total")
