"""The component shared-rate-limit, run for real: its Redis under its start.sh, and gateways that count in it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from redis.exceptions import AuthenticationError, NoPermissionError

from deploy.tests.redis_server import PASSWORDS, Pod, shared_limit_pod
from gateway_site.guard.limit_store import SCRIPT
from tools.processes.service import service

PASSWORD = PASSWORDS["rate-limit-password"]


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with shared_limit_pod(tmp_path_factory.mktemp("shared-limit")) as running:
        yield running


def test_two_gateways_share_one_limit(pod: Pod, tmp_path: Path):
    settings = {
        "USER_SERVICE_URL": "http://127.0.0.1:1",  # what passes the limit is 502 or 503: no user service is needed
        "AUTH": "none",
        "RATE_LIMIT": "10/h;burst=20",
        "RATE_LIMIT_STORE": f"redis://127.0.0.1:{pod.port}/0",
        "RATE_LIMIT_STORE_PASSWORD_FILE": str(pod.folder / "secrets" / "rate-limit-password"),
    }
    with ExitStack() as stack:
        gateways = [stack.enter_context(service("gateway_site", tmp_path, **settings)) for _ in range(2)]
        statuses = [requests.get(f"{each.url}/api/users", timeout=5).status_code for each in gateways * 15]
        scraped = [requests.get(f"{each.url}/metrics", timeout=5).text for each in gateways]
    assert statuses.count(429) == 10
    assert all("\nrate_limit_store_up 1.0\n" in each for each in scraped)


@pytest.mark.parametrize("command", ["FLUSHALL", "KEYS *", "CONFIG GET *", "ACL LIST", "GET {users:0}:user:1", "SAVE"])
def test_nothing_but_the_limit_may_run(pod: Pod, command: str):
    with pytest.raises(NoPermissionError):
        pod.client(PASSWORD).execute_command(*command.split())


@pytest.mark.parametrize("password", [None, "", PASSWORDS["password"]])
def test_nobody_gets_in_without_its_password(pod: Pod, password: str | None):
    with pytest.raises(AuthenticationError):
        pod.client(password).ping()


def test_probes_pass_while_it_serves(pod: Pod):
    assert pod.run("ready.sh").returncode == 0
    assert pod.run("live.sh").returncode == 0


def test_full_store_evicts_the_least_limited_instead_of_refusing(tmp_path: Path):
    """A crowd of addresses, more than fit, each with one request; a client without burst left stays limited."""
    hour = 3_600_000_000
    rate = [hour, 10 * hour]
    busy = ["ratelimit:key:busy"]
    with shared_limit_pod(tmp_path, memory="4mb") as small:
        script = small.client(PASSWORD).register_script(SCRIPT)
        assert [script(keys=busy, args=rate)[1] > 0 for _ in range(11)] == [False] * 10 + [True]
        client = small.client(PASSWORD)
        for first in range(50):
            crowd = client.pipeline(transaction=False)
            for n in range(1000):
                script(keys=[f"ratelimit:addr:10.{first}.{n}"], args=rate, client=crowd)
            crowd.execute()
        assert None in [client.get(f"ratelimit:addr:10.0.{n}") for n in range(100)], "some are forgotten"
        assert script(keys=busy, args=rate)[1] > 0
