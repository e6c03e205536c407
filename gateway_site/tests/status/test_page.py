"""`/` in a browser: who sees the status page, what it says of a system that works, fails, hangs, and what it never says."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from common import __version__
from tools.testing.recording import Recording, recording
from tools.testing.service import Service, service

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SECONDS = 10
HEADING = re.compile(r"<h1>.*?</span>(.*?)</h1>")


def answered(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def page(gateway: Service, path: str = "/") -> str:
    answer = requests.get(gateway.url + path, headers=HTML, timeout=SECONDS)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def headline(gateway: Service) -> str:
    """The page's first sentence; asks until it is not the one that was kept for a second."""
    time.sleep(1.1)
    found = HEADING.search(page(gateway))
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, users_service: Service) -> Iterator[Service]:
    """DEBUG off, the page on."""
    settings = {"USER_SERVICE_URL": users_service.url, "AUTH": "none", "STATUS_PAGE": "true"}
    with service("gateway_site", tmp_path_factory.mktemp("status"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Recording]]:
    """A gateway in dev before an upstream that says what it is told to."""
    folder = tmp_path_factory.mktemp("recorded")
    with (
        recording() as upstream,
        service("gateway_site", folder, USER_SERVICE_URL=upstream.url, AUTH="none", DEBUG="true") as running,
    ):
        yield running, upstream


@pytest.fixture
def upstream(recorded: tuple[Service, Recording]) -> Recording:
    recorded[1].reset()
    return recorded[1]


def test_programs_get_the_index_as_json(production: Service, gateway_service: Service) -> None:
    for accept in ("application/json", "*/*"):
        told = requests.get(production.url, headers={"Accept": accept}, timeout=SECONDS)
        plain = requests.get(gateway_service.url, headers={"Accept": accept}, timeout=SECONDS)
        assert told.headers["content-type"] == "application/json"
        assert told.content == plain.content


def test_in_production_browsers_get_links_unless_the_setting_says_otherwise(
    gateway_service: Service, production: Service
) -> None:
    reduced = page(gateway_service)
    assert 'href="/api/docs"' in reduced
    assert "<svg" not in reduced
    assert "<svg" in page(production)


def test_setting_turns_it_off_in_dev(tmp_path: Path) -> None:
    settings = {"USER_SERVICE_URL": "http://127.0.0.1:1", "AUTH": "none", "DEBUG": "true", "STATUS_PAGE": "false"}
    with service("gateway_site", tmp_path, **settings) as gateway:
        assert "<svg" not in page(gateway)


def test_says_what_runs_and_that_it_works(production: Service) -> None:
    assert headline(production) == "Everything works"
    text = page(production)
    for wanted in ("api-gateway", "user-service", "redis", "circuit", __version__, "Python", "Django", "up for"):
        assert wanted in text
    assert re.findall(r'class="state (\w+)">(\w+)', text) == [("up", "up"), ("up", "up"), ("up", "closed")]


def test_users_are_linked_in_dev_only(production: Service, recorded: tuple[Service, Recording]) -> None:
    assert 'href="/api/users"' not in page(production)
    assert 'href="/api/users"' in page(recorded[0])


def test_holds_no_script_no_host_and_no_address(production: Service, users_service: Service) -> None:
    answer = requests.get(production.url, headers=HTML, timeout=SECONDS)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script" not in answer.text + policy
    assert "style=" not in answer.text, "the policy lets no style attribute pass"
    assert not re.search(r"://", answer.text.replace("http://www.w3.org/2000/svg", ""))
    assert str(users_service.port) not in re.findall(r"\d+", answer.text)
    assert "127.0.0.1" not in answer.text


def test_loads_itself_again_until_it_is_paused(production: Service) -> None:
    refresh = '<meta http-equiv="refresh" content="5">'
    assert refresh in page(production)
    assert refresh not in page(production, "/?paused")


def test_store_that_is_down_is_named(recorded: tuple[Service, Recording], upstream: Recording) -> None:
    upstream.default = answered(b'{"status":"not ready","dependencies":{"redis":"down"}}')
    assert headline(recorded[0]) == "redis is down"
    assert 'class="state warn">not ready' in page(recorded[0])


def test_user_service_that_is_no_such_thing_breaks_nothing(
    recorded: tuple[Service, Recording], upstream: Recording
) -> None:
    for body in (
        b"<html>",
        b"[]",
        b'{"status":"ready","dependencies":[1]}',
        b'{"version":{"a":1},"dependencies":null}',
    ):
        upstream.default = answered(body)
        assert headline(recorded[0])


def test_what_others_say_is_escaped(recorded: tuple[Service, Recording], upstream: Recording) -> None:
    told = b'{"status":"ready","dependencies":{"<wbr>x":"<wbr>up"},"service":"<wbr>","version":"<wbr>"}'
    upstream.default = answered(told)
    headline(recorded[0])
    text = page(recorded[0])
    assert "&lt;wbr&gt;x" in text
    assert "<wbr>" not in text


def test_user_service_that_hangs_holds_the_page_up_for_less_than_a_second(
    recorded: tuple[Service, Recording], upstream: Recording
) -> None:
    time.sleep(1.1)
    upstream.pause()
    try:
        started = time.monotonic()
        found = HEADING.search(page(recorded[0]))
        seconds = time.monotonic() - started
    finally:
        upstream.resume()
    assert found is not None
    assert found[1] == "user-service is down"
    assert seconds < 1.8, "it gives up after 0.8 s; the rest is for a noisy machine"


def test_a_crowd_of_readers_costs_the_user_service_one_look(
    recorded: tuple[Service, Recording], upstream: Recording
) -> None:
    time.sleep(1.1)
    upstream.reset()
    upstream.pause()
    try:
        with ThreadPoolExecutor(20) as pool:
            readers = [pool.submit(page, recorded[0]) for _ in range(20)]
            time.sleep(0.3)
            assert sorted(upstream.next().line.split()[1] for _ in range(2)) == [b"/health/ready", b"/version"]
            upstream.resume()
            assert all("<svg" in reader.result() for reader in readers)
    finally:
        upstream.resume()
    assert upstream.received.empty()


def test_requests_turn_up_in_the_chart_and_failures_open_the_circuit(tmp_path: Path) -> None:
    settings = {"USER_SERVICE_URL": "http://127.0.0.1:1", "AUTH": "none", "DEBUG": "true"}
    with service("gateway_site", tmp_path, **settings) as gateway:
        empty = page(gateway)
        assert "<rect" not in empty
        until = time.monotonic() + 20
        shown = empty
        while "<rect" not in shown and time.monotonic() < until:
            requests.get(f"{gateway.url}/api/users", timeout=SECONDS)
            shown = page(gateway)
    assert 'class="bad"' in shown
    assert re.search(r">[\d.]+/s, [\d,]+ of [\d,]+ failed<", shown)
    assert re.search(r'class="state (down|warn)">(open|half-open)', shown)
