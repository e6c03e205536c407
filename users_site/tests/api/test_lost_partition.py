"""16 partitions over a cluster that loses a primary without a replica: its users are down, the others are not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packages.redis_pipe import slot_of
from tests.metrics import sample
from tests.serving import Served, serving
from tools.processes.cluster import Nodes, cluster, until
from users_site.repository.keys import Layout
from users_site.tests.api.client import UNKNOWN, Users, fresh_email, problem

pytestmark = pytest.mark.slow

LAYOUT = Layout(16)
SETTINGS = {"PARTITIONS": "16", "REDIS_TIMEOUT_MS": "5000"}  # a busy machine must not look like a lost primary
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    # A busy disk holds up a server that syncs each write, and the others take it for dead.
    with cluster("cluster-node-timeout 4000", place=MEMORY) as nodes:
        for node in nodes.all:
            node.command("CONFIG", "SET", "appendfsync", "always")
        yield nodes


@pytest.fixture
def running(nodes: Nodes) -> Iterator[Served]:
    nodes.restore()
    with serving("users_site", REDIS_URL=nodes.url, **SETTINGS, DURABILITY="fsync") as running:
        yield running


def is_at(node_slots: set[int], user_id: str) -> bool:
    return slot_of(LAYOUT.of(user_id).index) in node_slots


def assert_others_are_served(users: Users, made: list[str], lost: set[int]) -> None:
    """Everything of users elsewhere answers, everything of users there is 503."""
    for user_id in made:
        answer = users.get(user_id)
        if is_at(lost, user_id):
            problem(answer, 503, "store-unavailable")
        else:
            assert answer.status_code == 200
            assert users.patch(user_id, {"name": "Grace"}).status_code == 200
    for _ in range(20):
        email = fresh_email()
        expected = 503 if slot_of(LAYOUT.of_email(email).index) in lost else 201
        assert users.post({"name": "Ada", "email": email}).status_code == expected
    problem(users.list(), 503, "store-unavailable")


def test_a_partition_without_owner_takes_nobody_else_down(nodes: Nodes, running: Served) -> None:
    users, victim = Users(running.url), nodes.another()
    slots = {slot_of(partition.index) for partition in LAYOUT.partitions}
    lost = {slot for slot in slots if nodes.serves(victim, slot)}
    with ThreadPoolExecutor(2) as pool:
        made = [user["id"] for user in pool.map(lambda _: users.created(), range(40))]
    assert 0 < len([user_id for user_id in made if is_at(lost, user_id)]) < len(made)
    assert (sample(users, "users_total"), sample(users, "users_partitions_down")) == (40, 0)
    victim.kill()
    until(lambda: users.list().status_code == 503)
    assert_others_are_served(users, made, lost)
    assert users.is_ready()
    assert sample(users, "users_total") is None
    assert (sample(users, "users_total_up"), sample(users, "users_partitions_down")) == (1, len(lost))
    with serving("users_site", REDIS_URL=nodes.url, **SETTINGS) as late:
        until(Users(late.url).is_ready)
        assert_others_are_served(Users(late.url), made, lost)
    victim.start()
    nodes.until_settled()
    until(lambda: users.list().status_code == 200)
    assert all(users.get(user_id).status_code == 200 for user_id in made)
    assert sample(users, "users_partitions_down") == 0


def test_one_node_addressed_as_a_server_is_503_and_a_line_with_the_cure(nodes: Nodes) -> None:
    with serving("users_site", REDIS_URL=nodes.another().url) as running:
        users = Users(running.url)
        problem(users.get(UNKNOWN), 503, "store-unavailable")
        assert not users.is_ready()
        assert "use redis+cluster://" in running.log.read_text()
