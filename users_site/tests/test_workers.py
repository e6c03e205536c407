"""WEB_CONCURRENCY above 1: any worker's /metrics answers for all."""

import http.client
import os
import re
import signal
import time
from pathlib import Path

import requests

from tools.processes.service import Service, service
from tools.processes.store import Store

REQUESTS = 60


def scrape(running: Service) -> str:
    return requests.get(f"{running.url}/metrics", timeout=10).text


def value(text: str, pattern: str) -> float:
    found = re.search(rf"^{pattern} (\S+)$", text, re.MULTILINE)
    assert found, pattern
    return float(found[1])


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
            assert value(text, "users_total_up") == 1
            assert value(text, "process_cpu_seconds_total") > 0
        full = r'python_gc_collections_total\{generation="2"\}'
        deadline = time.monotonic() + 10
        while value(scrape(running), full) < 6 and time.monotonic() < deadline:  # each samples twice a second
            time.sleep(0.1)
        text = scrape(running)
        assert value(text, full) >= 6, "two of each worker, before it serves"
        assert value(text, "process_resident_memory_bytes") > 3 * 30e6, "the sum of three workers"
        shared = [path for path in Path("/dev/shm").glob("metrics-*") if list(path.glob("*.db"))]
    assert not [path for path in shared if path.exists()], "the shared files go with the server"


def test_gauges_of_a_dead_worker_go_with_it(tmp_path: Path, shared_store: Store) -> None:
    """Its requests in flight would be reported until the server stops."""
    with service("users_site", tmp_path, REDIS_URL=shared_store.url, WEB_CONCURRENCY="2") as running:
        arbiter = running.process.pid
        victim = int(Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()[0])
        scrape(running)
        (kept,) = {path for path in Path("/dev/shm").glob(f"metrics-*/gauge_live*_{victim}.db") if "sum" in path.name}
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 15
        while kept.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert scrape(running)


def test_one_worker_shares_no_files(tmp_path: Path, shared_store: Store) -> None:
    before = set(Path("/dev/shm").glob("metrics-*"))
    with service("users_site", tmp_path, REDIS_URL=shared_store.url) as running:
        assert "python_gc_objects_collected_total" in scrape(running)
        assert value(scrape(running), "process_resident_memory_bytes") > 0
        assert set(Path("/dev/shm").glob("metrics-*")) <= before
