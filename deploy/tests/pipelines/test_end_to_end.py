"""end_to_end.sh against a running pair, by its address, as on the test cluster: it uses that pair, and it can fail."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.tests.pipelines.stage import Stage, stage
from deploy.tests.programs import succeeded
from tools.processes.service import Service, free_port, service
from tools.processes.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture
def dev_gateway(tmp_path: Path, shared_store: Store) -> Iterator[Service]:
    """Set as in the overlay that the cluster runs."""
    with (
        service("users_site", tmp_path, REDIS_URL=shared_store.url, DEBUG="true") as users,
        service("gateway_site", tmp_path, USER_SERVICE_URL=users.url, AUTH="none", DEBUG="true") as gateway,
    ):
        yield gateway


@pytest.fixture
def here(tmp_path: Path) -> Stage:
    return stage(tmp_path / "stage")


def end_to_end(here: Stage, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return here.run(
        "end_to_end.sh", *arguments, PYTHON=sys.executable, PYTEST_ADDOPTS="-p no:cacheprovider", **settings
    )


def test_every_test_passes_on_a_pair_that_runs_as_in_dev(here: Stage, dev_gateway: Service):
    done = succeeded(end_to_end(here, dev_gateway.url.replace("127.0.0.1", "localhost")))
    assert not re.search(r"skipped|deselected", done.stdout)
    asked = dev_gateway.log.read_text(encoding="utf-8")
    assert asked.count('"/api/users') > 50, "it asked this gateway, and none of its own"


def test_nobody_there_is_a_failure_and_no_reason_to_start_a_pair(here: Stage):
    done = end_to_end(here, f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "there is no gateway at" in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [(), ("localhost:3000",), ("http://localhost:3000/api",)])
def test_without_an_address_nothing_runs(here: Stage, arguments: tuple[str, ...]):
    done = end_to_end(here, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "say which gateway" in done.stderr
