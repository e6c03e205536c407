"""`/` in a browser: when the status page is shown, and its content while the system works, fails, hangs."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import cast

import pytest
import requests

from common import __version__
from common.http.site import Site
from gateway_site import pages
from gateway_site.forwarding import service
from gateway_site.forwarding.router import Router
from gateway_site.routes.table import Canary, Route, Table, Upstream
from gateway_site.status import history
from gateway_site.status import page as status_page
from tests.in_process import evaluated
from tests.recording import Recording, broken, recording
from tests.serving import Served, serving
from tools.processes.service import Service

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECONDS = 10


def answered(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def page(gateway: Service | Served, path: str = "/") -> str:
    answer = requests.get(gateway.url + path, headers=HTML, timeout=SECONDS)
    assert answer.status_code == 200
    assert (answer.headers["content-type"], answer.headers["vary"]) == ("text/html; charset=utf-8", "Accept")
    return answer.text


def headline(gateway: Served) -> str:
    """The page's first sentence."""
    (found,) = re.findall(r"<h1>.*?</span>(.*?)</h1>", page(gateway))
    return str(found)


@pytest.fixture(autouse=True)
def never_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders the page again for each reader."""
    monkeypatch.setattr(status_page, "KEPT_SECONDS", 0.0)


@pytest.fixture
def production(users_service: Service) -> Iterator[Served]:
    """DEBUG off, the page on."""
    with serving("gateway_site", USER_SERVICE_URL=users_service.url, STATUS_PAGE="true") as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Recording]:
    with recording() as running:
        yield running


@pytest.fixture
def dev(upstream: Recording) -> Iterator[Served]:
    """A gateway in dev in front of the recording upstream."""
    with serving("gateway_site", USER_SERVICE_URL=upstream.url, DEBUG="true") as running:
        upstream.reset()
        yield running
        upstream.thaw()


def test_programs_get_the_index_as_json(production: Served, gateway_service: Service) -> None:
    for accept in ("application/json", "*/*"):
        shown = requests.get(production.url, headers={"Accept": accept}, timeout=SECONDS)
        plain = requests.get(gateway_service.url, headers={"Accept": accept}, timeout=SECONDS)
        assert shown.headers["content-type"] == "application/json"
        assert shown.content == plain.content


def test_in_production_browsers_get_links_unless_the_setting_says_otherwise(
    gateway_service: Service, production: Served
) -> None:
    reduced = page(gateway_service)
    assert 'href="/api/users"' in reduced
    assert "<svg" not in reduced
    assert "http://" not in reduced.replace("http://www.w3.org", "")
    assert "<svg" in page(production)
    assert 'href="/api/users"' not in page(production), "no page without the browsable API"
    assert evaluated("gateway_site", DEBUG="true", STATUS_PAGE="false")["STATUS_PAGE"] is False


def test_shows_versions_and_that_everything_works(production: Served) -> None:
    assert headline(production) == "Everything works"
    text = page(production)
    for wanted in ("api-gateway", "user-service", "redis", "circuit", __version__, "Python", "Django", "up for"):
        assert wanted in text
    assert re.findall(r'class="state (\w+)">(\w+)', text) == [("up", "up"), ("up", "up"), ("up", "closed")]


def test_has_no_script_no_host_and_no_address(production: Served, users_service: Service) -> None:
    answer = requests.get(production.url, headers=HTML, timeout=SECONDS)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script" not in answer.text + policy
    assert "style=" not in answer.text, "the policy lets no style attribute pass"
    assert not re.search(r"://", answer.text.replace("http://www.w3.org/2000/svg", ""))
    assert str(users_service.port) not in re.findall(r"\d+", answer.text)
    assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize(("path", "refresh", "link"), [("/", None, "/?live"), ("/?live", "5", "/")])
def test_reloads_only_if_asked_to(production: Served, path: str, refresh: str | None, link: str) -> None:
    answer = requests.get(production.url + path, headers=HTML, timeout=SECONDS)
    assert answer.headers.get("refresh") == refresh
    assert f'<a href="{link}">' in answer.text


def test_an_upstream_of_another_route_that_fails_is_named(upstream: Recording) -> None:
    upstream.default = answered(b'{"status":"ready"}')
    with recording() as orders:
        routes = f"/orders={orders.url}/orders"
        with serving("gateway_site", USER_SERVICE_URL=upstream.url, ROUTES=routes, DEBUG="true") as gateway:
            assert headline(gateway) == "Everything works"
            orders.default = answered(b"").replace(b"200", b"503")
            assert headline(gateway) == "127.0.0.1 is down"
            orders.default = broken(b"")
            for _ in range(20):
                requests.get(f"{gateway.url}/orders", timeout=SECONDS)
            orders.default = answered(b"")
            assert headline(gateway) == "The circuit of 127.0.0.1 is open"


def test_the_circuit_of_a_canary_is_shown() -> None:
    upstreams = {name: Upstream(name, "http://h") for name in ("user-service", "next")}
    route = Route("/api/users", "user-service", canary=Canary("next", 10))
    router = Router(Table((route,), upstreams, ()), lambda *_: pages.index)
    site = cast(Site, SimpleNamespace(service="api-gateway", debug=False))
    content = status_page.StatusPage(router, history.History(), 1).describe(site, [], {})
    assert content["circuits"].keys() == {"circuit", "circuit of next"}


def test_each_reader_gets_the_prefix_of_its_proxy(upstream: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_page, "KEPT_SECONDS", 60.0)
    settings = {"USER_SERVICE_URL": upstream.url, "DEBUG": "true", "TRUSTED_PROXIES": "127.0.0.1/32"}
    with serving("gateway_site", **settings) as gateway:
        for prefix in ("/one", "/two", ""):
            fields = HTML | ({"X-Forwarded-Prefix": prefix} if prefix else {})
            text = requests.get(gateway.url, headers=fields, timeout=SECONDS).text
            paths = re.findall(r'href="(/[^"]*)', text)
            assert f"{prefix}/api/docs" in paths
            assert all(path.startswith(f"{prefix}/") for path in paths), paths
            index = requests.get(gateway.url, headers=fields | {"Accept": "*/*"}, timeout=SECONDS).json()
            assert index["links"]["users"] == f"{prefix}/api/users"
            assert ("/one/" in text, "/two/" in text) == (prefix == "/one", prefix == "/two")


def test_store_that_is_down_is_named(dev: Served, upstream: Recording) -> None:
    upstream.default = answered(b'{"status":"not ready","dependencies":{"redis":"down"}}')
    assert headline(dev) == "redis is down"
    assert 'class="state warn">not ready' in page(dev)


def test_a_user_service_whose_connections_are_all_busy_is_not_down(
    upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CONNECTIONS", 1)
    with serving("gateway_site", USER_SERVICE_URL=upstream.url, DEBUG="true") as gateway, ThreadPoolExecutor(1) as pool:
        upstream.freeze()
        pool.submit(requests.get, f"{gateway.url}/api/users", timeout=SECONDS)
        assert upstream.next().line == b"GET /users HTTP/1.1"
        text = page(gateway)
        upstream.thaw()
    assert '<span class="dot warn"></span>user-service is busy' in text


def test_other_answers_of_the_user_service_break_nothing(dev: Served, upstream: Recording) -> None:
    strange = (b'{"status":"ready","dependencies":[1]}', b'{"version":{"a":1},"dependencies":null}')
    for body in (b"<html>", b"[]", *strange):
        upstream.default = answered(body)
        assert headline(dev)


def test_names_and_versions_are_escaped(dev: Served, upstream: Recording) -> None:
    answer = b'{"status":"ready","dependencies":{"<wbr>x":"<wbr>up"},"service":"<wbr>","version":"<wbr>"}'
    upstream.default = answered(answer)
    text = page(dev)
    assert "&lt;wbr&gt;x" in text
    assert "<wbr>" not in text


def test_a_user_service_that_hangs_delays_the_page_by_less_than_a_second(dev: Served, upstream: Recording) -> None:
    upstream.freeze()
    started = time.monotonic()
    assert headline(dev) == "user-service is down"
    assert time.monotonic() - started < 4, "the time-out is 0.8 s, and 5 s for clients; the rest is for a noisy machine"


def test_a_crowd_of_readers_costs_the_user_service_one_look(
    dev: Served, upstream: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_page, "KEPT_SECONDS", 1.0)
    upstream.freeze()
    with ThreadPoolExecutor(20) as pool:
        readers = [pool.submit(page, dev) for _ in range(20)]
        time.sleep(0.3)
        assert sorted(upstream.next().line.split()[1] for _ in range(2)) == [b"/health/ready", b"/version"]
        upstream.thaw()
        assert all("<svg" in reader.result() for reader in readers)
    assert upstream.received.empty()


def test_requests_turn_up_in_the_chart_and_failures_open_the_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEP_SECONDS", 0.1)
    with serving("gateway_site", DEBUG="true") as gateway:
        assert "<rect" not in page(gateway)
        for _ in range(30):
            requests.get(f"{gateway.url}/api/users", timeout=SECONDS)
        time.sleep(0.15)
        shown = page(gateway)
    assert 'class="bad"' in shown
    assert re.search(r">[\d.]+/s, [\d,]+ of [\d,]+ failed<", shown)
    assert re.search(r'class="state (down|warn)">(open|half-open)', shown)
