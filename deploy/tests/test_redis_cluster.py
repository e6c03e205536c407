"""The component redis-cluster, run for real on loopback: six servers that lose addresses, disks and primaries."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.tests.redis_server import BASE, DEPLOY, PASSWORDS, Pod, made_pod, wiped
from deploy.tests.test_redis import does_all_its_work, works
from tools.processes.cluster import until
from tools.processes.service import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLUSTER = DEPLOY / "kustomize" / "components" / "redis-cluster"
KEY = "{users:test}:kept"


class ClusterPods:
    """The component's pods. Each has an address of its own; their names are in the file that stands for the cluster's DNS."""

    def __init__(self, root: Path) -> None:
        self._root, self._names, self.all = root, root / "hosts", list[Pod]()
        self.add(6)

    def add(self, count: int) -> list[Pod]:
        """More pods, not started. Those that are there know nothing of them."""
        added = range(len(self.all), len(self.all) + count)
        ports = [*(pod.port for pod in self.all), *(free_port() for _ in added)]
        peers = " ".join(f"node-{n}:{port}" for n, port in enumerate(ports))
        for n in added:
            settings = {"SELF": f"node-{n}:{ports[n]}", "PEERS": peers, "HOSTS": str(self._names)}
            speed = {"NODE_TIMEOUT_MS": "3000", "HEAL_SECONDS": "2"}
            pod = made_pod(self._root, f"node-{n}", ports[n], "start.sh", (BASE, CLUSTER), **settings, **speed)
            self.all.append(pod)
            with (pod.folder / "etc" / "redis.conf").open("a", encoding="utf-8") as config:
                config.write(f"cluster-port {free_port()}\n")
            self.place(pod, n + 1)
        return self.all[-count:]

    def place(self, pod: Pod, number: int) -> None:
        """Gives a stopped pod the address 127.0.1.<number>."""
        host = f"127.0.1.{number}"
        pod.configure(f"bind {pod.host}\n", f"bind {host}\n")
        pod.host = pod.environment["POD_IP"] = host
        self._names.write_text("".join(f"{each.folder.name} {each.host}\n" for each in self.all), encoding="utf-8")

    def start(self, *pods: Pod) -> None:
        for pod in pods or self.all:
            pod.start()
        for pod in pods or self.all:
            pod.wait()

    @property
    def running(self) -> list[Pod]:
        return [pod for pod in self.all if pod.process is not None and pod.process.poll() is None]

    @property
    def url(self) -> str:
        """The user service's REDIS_URL, without the password."""
        return "redis+cluster://" + ",".join(f"{pod.host}:{pod.port}" for pod in self.all)


@contextmanager
def cluster_pods(root: Path) -> Iterator[ClusterPods]:
    """The component's six nodes, all started at once."""
    pods = ClusterPods(root)
    with ExitStack() as stack:
        stack.callback(lambda: [pod.kill() for pod in pods.all])
        pods.start()
        yield pods


def operator(pod: Pod, *command: str) -> Any:
    return pod.client(PASSWORDS["operator-password"], "operator").execute_command(*command)


wait = partial(until, seconds=100, pause=0.2)


def nodes(pod: Pod) -> list[list[str]]:
    """The words of CLUSTER NODES: id, address, flags, primary, ping, pong, epoch, link, slots."""
    return [line.split() for line in operator(pod, "CLUSTER", "NODES").splitlines()]


def myself(pod: Pod) -> list[str]:
    return next(words for words in nodes(pod) if "myself" in words[2])


def is_primary(pod: Pod) -> bool:
    return "master" in myself(pod)[2]


def owner(pods: ClusterPods) -> Pod:
    slot = operator(pods.all[0], "CLUSTER", "KEYSLOT", KEY)
    for pod in pods.running:
        ranges = [words.partition("-")[::2] for words in myself(pod)[8:] if words[0] != "["]
        if is_primary(pod) and any(int(low) <= slot <= int(high or low) for low, high in ranges):
            return pod
    raise StopIteration


def replica(pods: ClusterPods, primary: Pod) -> Pod:
    return next(pod for pod in pods.running if myself(pod)[3] == myself(primary)[0])


def is_whole(pods: ClusterPods) -> bool:
    """Three primaries with all slots and a replica in step each, as every node says; none remembers a node that is gone."""
    primaries = [pod for pod in pods.all if is_primary(pod)]
    return (
        len(primaries) == 3
        and len({myself(pod)[3] for pod in pods.all}) == 4
        and all(len(nodes(pod)) == 6 for pod in pods.all)
        and all(pod.run("node.sh", "ready").returncode == 0 for pod in pods.all)
        and all("cluster_slots_ok:16384" in operator(pod, "CLUSTER", "INFO") for pod in pods.all)
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterPods]:
    with cluster_pods(tmp_path_factory.mktemp("cluster")) as pods:
        assert pods.all[0].run("node.sh", "ready").returncode == 1, "ready before the cluster is made"
        yield pods


@pytest.fixture
def pods(made: ClusterPods) -> ClusterPods:
    """The cluster, whole, with a user's key in it."""
    return filled(made)


def filled(pods: ClusterPods) -> ClusterPods:
    wait(lambda: is_whole(pods))
    primary = owner(pods)
    primary.client().set(KEY, "kept")
    assert primary.client().wait(1, 5000) == 1
    return pods


def is_kept(pods: ClusterPods) -> bool:
    return owner(pods).client().get(KEY) == "kept"


def settings(pods: ClusterPods) -> dict[str, str]:
    secret = pods.all[0].folder / "secrets" / "password"
    return {"REDIS_URL": pods.url, "REDIS_PASSWORD_FILE": str(secret), "PARTITIONS": "16"}


def test_user_service_works_over_16_partitions_with_the_rights_it_has(pods: ClusterPods, tmp_path: Path):
    does_all_its_work(tmp_path, settings(pods))


def test_all_pods_come_back_with_other_addresses(pods: ClusterPods):
    for pod in pods.all:
        pod.kill()
    for number, pod in enumerate(pods.all, start=101):
        pods.place(pod, number)
    pods.start()
    wait(lambda: is_whole(pods))
    assert {words[1].partition(":")[0] for words in nodes(pods.all[0])} == {pod.host for pod in pods.all}
    assert is_kept(pods)


def test_primary_that_lost_its_disk_comes_back_as_a_replica_and_the_old_node_is_forgotten(pods: ClusterPods):
    old = owner(pods)
    old.kill()
    wiped(old)
    wait(lambda: owner(pods) is not old)
    pods.start(old)
    wait(lambda: is_whole(pods))
    assert not is_primary(old)
    assert is_kept(pods)


def test_primary_that_stops_hands_over_without_losing_a_write(pods: ClusterPods):
    old = owner(pods)
    successor, started = replica(pods, old), time.monotonic()
    assert old.run("node.sh", "hand-over").returncode == 0
    assert owner(pods) is successor
    assert time.monotonic() - started < 5
    assert is_kept(pods)
    assert old.run("node.sh", "hand-over").returncode == 0
    assert owner(pods) is successor, "a replica that stops hands nothing over"


@pytest.mark.verify
def test_empty_node_takes_the_slots_of_a_lost_one_only_when_the_operator_gives_it_up(tmp_path: Path):
    """Both servers of a shard lose their disks; as the runbook PartitionDown says."""
    with cluster_pods(tmp_path) as pods:
        old = owner(filled(pods))
        works(tmp_path, settings(pods))
        gone = [old, replica(pods, old)]
        ids = [myself(pod)[0] for pod in gone]
        for pod in gone:
            pod.kill()
            wiped(pod)
        pods.start(*gone)
        wait(lambda: all(sum("fail" not in words[2] for words in nodes(pod)) == 6 for pod in pods.all))
        time.sleep(3)  # a few rounds of node.sh
        assert [myself(pod)[8:] for pod in gone] == [[], []]
        for pod in pods.all:
            for lost in {words[0] for words in nodes(pod)} & {*ids}:
                operator(pod, "CLUSTER", "FORGET", lost)
        wait(lambda: is_whole(pods))
        works(tmp_path, settings(pods))


@pytest.mark.verify
def test_two_more_pods_join_without_slots_and_take_those_that_are_moved_to_them(tmp_path: Path):
    with cluster_pods(tmp_path) as pods:
        source = owner(filled(pods))
        added = pods.add(2)
        pods.start(*added)
        wait(lambda: all(len(nodes(pod)) == 8 for pod in pods.all))
        time.sleep(5)  # a few rounds of node.sh
        assert [myself(pod)[8:] for pod in added] == [[], []]
        slot, target = operator(source, "CLUSTER", "KEYSLOT", KEY), myself(added[0])[0]
        operator(source, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target)
        wait(lambda: owner(pods) is added[0])
        assert is_kept(pods)
        wait(lambda: myself(added[1])[3] == target)
