"""The component redis-sentinel, run for real on loopback: three servers, three sentinels, the primary killed."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests
from redis.exceptions import NoPermissionError

from deploy.tests.redis_server import BASE, DEPLOY, Pod, made_pod, wiped
from tools.processes.cluster import until
from tools.processes.service import free_port, service

pytestmark = pytest.mark.slow

SENTINEL = DEPLOY / "kustomize" / "components" / "redis-sentinel"

_wait = partial(until, seconds=90, pause=0.2)


def _primary(sentinel: Pod) -> int:
    return int(sentinel.client(password=None).execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1])


def _role(pod: Pod) -> str:
    return str(pod.client().info("replication")["role"])


class Cluster:
    """The component's three servers and three sentinels."""

    def __init__(self, root: Path) -> None:
        ports = [free_port() for _ in range(6)]
        addresses = [f"127.0.0.1 {port}" for port in ports]
        known = {"FIRST": addresses[0], "SENTINELS": " ".join(f"127.0.0.1:{port}" for port in ports[3:])}
        # Not below the second in which Sentinel asks: it would fail over twice.
        asking = {"FIRST": addresses[0], "DOWN_AFTER_MS": "2000"}
        self.servers = [
            made_pod(root, f"redis-{n}", ports[n], "start.sh", (BASE, SENTINEL), SELF=addresses[n], **known)
            for n in range(3)
        ]
        self.sentinels = [
            made_pod(root, f"sentinel-{n}", ports[n], "sentinel.sh", (SENTINEL,), SELF=addresses[n], **asking)
            for n in range(3, 6)
        ]

    def primary(self) -> Pod:
        """The server that the sentinels name, once it takes writes and two replicas are in step."""

        def settled() -> bool:
            found = {_primary(each) for each in self.sentinels}
            named = next(each for each in self.servers if each.port in found)
            return len(found) == 1 and named.client().info("replication").get("connected_slaves") == 2

        _wait(lambda: all(_knows_all(each) for each in self.sentinels))
        _wait(settled)
        return next(each for each in self.servers if each.port == _primary(self.sentinels[0]))

    def fail_over(self, dead: Pod) -> Pod:
        """The server that takes over from a dead one, once it takes writes."""

        def agreed() -> bool:
            found = {_primary(each) for each in self.sentinels}
            return len(found) == 1 and dead.port not in found

        _wait(agreed)
        elected = next(each for each in self.servers if each.port == _primary(self.sentinels[0]))
        _wait(lambda: bool(elected.client().set("{users:0}:user:new", "new")))
        return elected


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """For one test: after a failover Sentinel refuses the next one for 20 s."""
    with running(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """For the tests without a failover."""
    with running(tmp_path_factory.mktemp("unchanged")) as made:
        yield made


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    made = Cluster(folder)
    with ExitStack() as stack:
        for pod in (*made.servers, *made.sentinels):
            stack.callback(pod.kill)
            pod.start()
        for pod in made.servers:
            pod.wait()
        yield made


def _knows_all(sentinel: Pod) -> bool:
    client = sentinel.client(password=None)
    return all(len(client.execute_command("SENTINEL", word, "mymaster")) == 2 for word in ("REPLICAS", "SENTINELS"))


def test_a_replica_takes_over_and_the_old_primary_follows_it(cluster: Cluster):
    old = cluster.primary()
    old.client().set("{users:0}:user:1", "kept")
    assert old.client().wait(2, 5000) == 2
    old.kill()
    elected = cluster.fail_over(old)
    assert elected.client().get("{users:0}:user:1") == "kept"
    old.start()
    old.wait()
    _wait(lambda: _role(old) == "slave" and old.client().get("{users:0}:user:new") == "new")


def test_primary_that_lost_its_disk_waits_until_another_is_elected(cluster: Cluster):
    old = cluster.primary()
    old.client().set("{users:0}:user:2", "kept")
    assert old.client().wait(2, 5000) == 2
    old.kill()
    wiped(old).start()
    old.wait()
    _wait(lambda: old.client().get("{users:0}:user:2") == "kept")
    assert _role(old) == "slave"


def test_primary_that_stops_hands_over_without_losing_a_write(cluster: Cluster):
    old = cluster.primary()
    old.client().set("{users:0}:user:3", "kept")
    started = time.monotonic()
    done = old.run("hand-over.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert _role(old) == "slave"
    elected = next(each for each in cluster.servers if _role(each) == "master")
    assert elected.client().get("{users:0}:user:3") == "kept"
    assert time.monotonic() - started < 5
    _wait(lambda: {_primary(each) for each in cluster.sentinels} == {elected.port})


def test_replica_that_stops_hands_nothing_over(unchanged: Cluster):
    before = unchanged.primary()
    replica = next(each for each in unchanged.servers if each is not before)
    assert replica.run("hand-over.sh").returncode == 0
    assert unchanged.primary() is before


def test_nobody_appoints_a_primary_by_asking_a_sentinel(unchanged: Cluster):
    with pytest.raises(NoPermissionError):
        unchanged.sentinels[0].client(password=None).execute_command("SENTINEL", "FAILOVER", "mymaster")


def test_user_service_finds_the_primary_by_its_sentinels(unchanged: Cluster, tmp_path: Path):
    primary = unchanged.primary()
    names = ",".join(f"127.0.0.1:{each.port}" for each in unchanged.sentinels)
    settings = {
        "REDIS_URL": f"redis+sentinel://{names}/mymaster/0",
        "REDIS_PASSWORD_FILE": str(primary.folder / "secrets" / "password"),
    }
    with service("users_site", tmp_path, **settings) as running:
        made = requests.post(f"{running.url}/users", json={"name": "Ada", "email": "ada@example.com"}, timeout=5)
        assert made.status_code == 201, made.text
        assert len(primary.client().execute_command("ZRANGE", "{users:0}:ids", "0", "-1")) == 1
