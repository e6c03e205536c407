"""The service on a Redis Cluster while it loses the node with the users, and while it has none."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import requests

from tests.serving import Served, serving
from tools.processes.cluster import Nodes, cluster, until
from users_site.tests.api.client import UNKNOWN, Users, fresh_email, problem
from users_site.tests.integrity import faults


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Nodes, Served]]:
    """A cluster, and a service whose acknowledged writes survive a failover."""
    with (
        cluster() as nodes,
        serving("users_site", REDIS_URL=nodes.url, DURABILITY="replicated") as running,
    ):
        yield nodes, running


@pytest.fixture
def nodes(running: tuple[Nodes, Served]) -> Nodes:
    """The cluster, whole and empty."""
    running[0].restore()
    return running[0]


@pytest.fixture
def users(nodes: Nodes, running: tuple[Nodes, Served]) -> Users:
    """The service on it, ready, and its writes, which have a connection of their own, on the owner of now as well."""
    users = Users(running[1].url)
    until(users.is_ready)
    until(
        lambda: (made := users.post({"name": "Ada", "email": fresh_email()})).status_code == 201 and gone(users, made)
    )
    return users


def gone(users: Users, made: requests.Response) -> bool:
    return users.delete(made.json()["id"]).status_code == 204


def creates(users: Users, stop: Event) -> tuple[list[str], set[int]]:
    """The ids acknowledged until then, and every status."""
    acknowledged, seen = [], set()
    while not stop.is_set():
        answer = users.post({"name": "Ada", "email": fresh_email()})
        seen.add(answer.status_code)
        if answer.status_code == 201:
            acknowledged.append(answer.json()["id"])
        else:
            problem(answer, 503, "store-unavailable")
            time.sleep(0.02)
    return acknowledged, seen


def test_when_the_owner_dies_its_replica_is_found_and_no_user_is_lost(users: Users, nodes: Nodes) -> None:
    owner, replica, stop = nodes.owner, nodes.replica, Event()
    with ThreadPoolExecutor(4) as pool:
        lives = [pool.submit(creates, users, stop) for _ in range(4)]
        try:
            time.sleep(0.5)
            owner.kill()
            until(lambda: nodes.serves(replica))
            until(lambda: users.get(UNKNOWN).status_code == 404)
        finally:
            stop.set()
        made = [life.result(60) for life in lives]
    assert set.union(*(seen for _, seen in made)) == {201, 503}
    assert faults(replica.client()) == []
    assert [
        user_id for acknowledged, _ in made for user_id in acknowledged if users.get(user_id).status_code != 200
    ] == []
    owner.start()


def test_one_node_addressed_as_a_server_is_503_and_a_line_with_the_cure(nodes: Nodes) -> None:
    url = nodes.another().url
    with serving("users_site", REDIS_URL=url) as running:
        users = Users(running.url)
        problem(users.get(UNKNOWN), 503, "store-unavailable")
        assert not users.is_ready()
        assert "use redis+cluster://" in running.log.read_text()
