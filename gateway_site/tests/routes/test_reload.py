"""A changed file is put in force while requests run; a bad one is refused, and the old routes stay."""

import asyncio
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import certifi
import pytest
import requests
from prometheus_client import REGISTRY

from gateway_site.forwarding import reload
from gateway_site.forwarding.metrics import REFUSED
from gateway_site.forwarding.router import Router
from gateway_site.routes.table import Table, Upstream
from gateway_site.tests.routes.conftest import Tables, metric
from tests.log_lines import lines
from tests.recording import Recording, recording
from tests.serving import Served, serving
from tools.processes.cluster import until
from tools.processes.service import Service

pytestmark = pytest.mark.slow

SECONDS = 10


def table(**prefixes: str) -> str:
    return "".join(f'[[routes]]\nprefix = "/{name}"\nupstream = "{url}"\n' for name, url in prefixes.items())


@pytest.fixture
def gateway(start: Callable[..., Service], recorded: Recording) -> Service:
    return start(table(a=recorded.url), USER_SERVICE_URL=recorded.url, DRAIN_SECONDS="1")


def write(folder: Path, text: str) -> None:
    """As a ConfigMap is replaced: by a rename."""
    (folder / "new").write_text(text)
    (folder / "new").rename(folder / "routes.toml")


def status(gateway: Service | Served, path: str) -> int:
    return requests.get(gateway.url + path, timeout=SECONDS).status_code


@pytest.mark.parametrize("signalled", [False, True], ids=["file", "SIGHUP"])
def test_a_change_takes_effect_without_a_lost_request(gateway: Service, recorded: Recording, signalled: bool) -> None:
    statuses: list[int] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            statuses.append(status(gateway, "/a"))

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    with recording() as second:
        write(gateway.log.parent, table(a=recorded.url, b=second.url))
        if signalled:
            os.kill(gateway.process.pid, signal.SIGHUP)
        until(lambda: status(gateway, "/b") == 200)
        write(gateway.log.parent, table(a=second.url))  # the upstream of /a is another one now
        until(lambda: status(gateway, "/b") == 404)
        if signalled:
            until(lambda: "draining" in [line["message"] for line in lines(gateway)])
        until(lambda: second.received.qsize() > 20)
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}, [line for line in lines(gateway) if line.get("status_code", 0) >= 500]
    assert status(gateway, "/api/users") == 200


def test_a_bad_file_leaves_the_old_routes_and_says_so(gateway: Service, recorded: Recording) -> None:
    assert metric(gateway, "routes_refused") == 0
    write(gateway.log.parent, table(b=recorded.url, health=recorded.url))
    until(lambda: metric(gateway, "routes_refused") == 1)
    assert (status(gateway, "/a"), status(gateway, "/b"), status(gateway, "/health")) == (200, 404, 200)
    (refused,) = [line for line in lines(gateway) if line["level"] == "error"]
    assert refused["message"] == "routes refused: the old ones stay in force"
    assert "routes.toml line 4: /health would hide /health, which the gateway answers itself" in refused["reason"]
    (gateway.log.parent / "routes.toml").unlink()
    time.sleep(1.2)
    assert status(gateway, "/a") == 200
    os.kill(gateway.process.pid, signal.SIGHUP)  # a worker that starts meanwhile has the old routes too
    until(lambda: "stopped" in [line["message"] for line in lines(gateway)])
    assert status(gateway, "/a") == 200
    write(gateway.log.parent, table(b=recorded.url))
    until(lambda: status(gateway, "/b") == 200)
    assert metric(gateway, "routes_refused") == 0


@pytest.fixture
def served(tmp_path: Path, recorded: Recording, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """In this process; it reads a refused table again at once."""
    monkeypatch.setattr(reload, "RETRY_SECONDS", 0.1)
    REFUSED.set(0)
    write(tmp_path, table(a=recorded.url))
    with serving("gateway_site", ROUTES=str(tmp_path / "routes.toml"), USER_SERVICE_URL=recorded.url) as running:
        yield running


def test_a_schema_that_comes_after_its_table_or_changes_is_read(
    served: Served, tmp_path: Path, recorded: Recording
) -> None:
    def paths() -> set[str]:
        found = requests.get(f"{served.url}/api/openapi.json", timeout=SECONDS).json()["paths"]
        return {path for path in found if path.startswith("/a")} - {path for path in found if path.startswith("/api")}

    assert paths() == set()
    write(tmp_path, f'{table(a=recorded.url)}schema = "a.yaml"\n')
    until(lambda: metric(served, "routes_refused") == 1)
    time.sleep(1.2)  # it is refused again, and not logged again
    for name in ("x", "y"):
        (tmp_path / "a.yaml").write_text(f"{{openapi: 3.1.0, paths: {{/a/{name}: {{get: {{responses: {{}}}}}}}}}}")
        until(lambda name=name: paths() == {f"/a/{name}"})
    assert metric(served, "routes_refused") == 0
    assert sum(f"{tmp_path}/a.yaml" in line.get("reason", "") for line in lines(served)) == 1


def test_a_longer_time_than_the_drain_allows_needs_a_restart(
    served: Served, tmp_path: Path, recorded: Recording
) -> None:
    write(tmp_path, table(b=recorded.url) + "timeout_ms = 60000\n")
    until(lambda: metric(served, "routes_refused") == 1)
    assert status(served, "/a") == 200


async def view(request: object) -> None:
    """Not asked."""


async def checked(reloader: reload.Reloader, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            reloader.check()
            await asyncio.sleep(0.01)


async def test_a_resolver_that_hangs_holds_no_table_back(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []

    async def hangs(upstreams: Iterable[Upstream]) -> None:
        asked.append({upstream.name for upstream in upstreams})
        await asyncio.Event().wait()

    monkeypatch.setattr(reload, "look_up", hangs)
    router = Router(tables.read(table(a="http://h")), lambda *_: view)
    reloader = reload.Reloader(tables.source(table(b="http://b")), router, 5000)
    await checked(reloader, lambda: "b" in router.services)
    tables.source(table(c="http://c"))
    await checked(reloader, lambda: "c" in router.services)
    await checked(reloader, lambda: len(asked) == 2)
    assert ["b" in asked[0], "c" in asked[1]] == [True, True]
    await router.close()


async def test_a_table_whose_certificates_vanish_before_it_is_applied_is_refused(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "RETRY_SECONDS", 0.0)
    authorities = tables.folder / "ca.pem"

    class Late(Router):
        def apply(self, table: Table) -> None:
            authorities.unlink(missing_ok=True)
            super().apply(table)

    router = Late(first := tables.read(table(a="http://h")), lambda *_: view)
    text = f'[upstreams.gone]\nurl = "https://gone"\ntls = {{ ca = "{authorities}" }}\n{table(gone="gone")}'
    reloader = reload.Reloader(tables.source(text), router, 5000)
    shutil.copy(certifi.where(), authorities)
    await checked(reloader, lambda: REGISTRY.get_sample_value("routes_refused") == 1)
    assert router.table is first
    monkeypatch.setattr(Late, "apply", Router.apply)
    shutil.copy(certifi.where(), authorities)
    await checked(reloader, lambda: "gone" in router.services)
    assert REGISTRY.get_sample_value("routes_refused") == 0
    await router.close()
