"""WEB_CONCURRENCY above 1: any worker's /metrics answers for all."""

import http.client
import os
import re
import signal
from pathlib import Path

import requests

from tools.processes.cluster import until
from tools.processes.service import Service, service, tree
from tools.processes.store import Store

REQUESTS = 60


def scrape(running: Service) -> str:
    return requests.get(f"{running.url}/metrics", timeout=10).text


def value(text: str, pattern: str) -> float:
    found = re.search(rf"^{pattern} (\S+)$", text, re.MULTILINE)
    assert found, pattern
    return float(found[1])


def shared(running: Service) -> set[Path]:
    """The files of metrics that its processes share; others' are in the same folder."""
    maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in tree(running.process.pid))
    return {Path(path) for path in re.findall(r"/dev/shm/metrics-\S+\.db", maps)}


def test_every_scrape_counts_the_requests_of_all_workers(tmp_path: Path, shared_store: Store) -> None:
    with service("users_site", tmp_path, REDIS_URL=shared_store.url, WEB_CONCURRENCY="3") as running:
        for _ in range(REQUESTS):  # a connection each, so that the kernel spreads them
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
            connection.request("GET", "/users/nobody")
            assert connection.getresponse().status == 404
            connection.close()
        counted = r'http_requests_total\{method="GET",route="/users/\{id\}",status_code="404"\}'
        for _ in range(9):
            text = scrape(running)
            assert value(text, counted) == REQUESTS
            assert value(text, r"http_requests_in_flight") >= 0
            assert value(text, r"build_info\{.*\}") == 1
            assert value(text, "process_cpu_seconds_total") > 0
        until(lambda: value(scrape(running), "users_total_up") == 1)
        full = r'python_gc_collections_total\{generation="2"\}'
        until(lambda: value(scrape(running), full) >= 6)  # two of each worker; each samples twice a second
        text = scrape(running)
        assert value(text, "process_resident_memory_bytes") > 3 * 30e6, "the sum of three workers"
        assert (files := shared(running))
    assert not [path for path in files if path.exists()], "the shared files go with the server"


def test_gauges_of_a_dead_worker_go_with_it(tmp_path: Path, shared_store: Store) -> None:
    """Its requests in flight would be reported until the server stops."""
    with service("users_site", tmp_path, REDIS_URL=shared_store.url, WEB_CONCURRENCY="2") as running:
        arbiter = running.process.pid
        victim = int(Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()[0])
        until(lambda: any(path.match(f"gauge_livesum_{victim}.db") for path in shared(running)))
        (kept,) = {path for path in shared(running) if path.match(f"gauge_livesum_{victim}.db")}
        os.kill(victim, signal.SIGKILL)
        until(lambda: not kept.exists())
        assert scrape(running)


def test_one_worker_shares_no_files(users_service: Service) -> None:
    text = scrape(users_service)
    assert "python_gc_objects_collected_total" in text
    assert value(text, "process_resident_memory_bytes") > 0
    assert shared(users_service) == set()
