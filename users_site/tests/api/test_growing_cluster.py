"""A node joins a cluster of 16 partitions, and slots with users move to it while users are created, read and changed."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from redis.crc import key_slot

from tests.serving import serving
from tools.processes.cluster import SETTINGS, Nodes, cluster, node_id, until
from tools.processes.service import free_port
from tools.processes.valkey import valkey
from users_site.repository.keys import Layout
from users_site.tests.api.client import Users, fresh_email

pytestmark = pytest.mark.slow


def grow(stack: ExitStack, nodes: Nodes) -> int:
    """Moves the partitions of one primary to a new node. Returns how many."""
    source, fifth = nodes.another(), stack.enter_context(valkey(*SETTINGS, f"cluster-port {free_port()}"))
    bus = int(str(fifth.client().config_get("cluster-port")["cluster-port"]))
    source.command("CLUSTER", "MEET", "127.0.0.1", fifth.port, bus)
    until(lambda: all(b"cluster_known_nodes:5" in node.command("CLUSTER", "INFO") for node in (*nodes.all, fifth)))
    until(lambda: b"cluster_state:ok" in fifth.command("CLUSTER", "INFO"))  # before, it answers CLUSTERDOWN
    slots = [key_slot(home.index.encode()) for home in Layout(16).partitions]
    moving = [slot for slot in slots if nodes.serves(source, slot)]
    for slot in moving:
        source.command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", node_id(fifth))
        until(lambda slot=slot: nodes.serves(fifth, slot))
    return len(moving)


def live(users: Users, ends: list[float]) -> tuple[list[str], list[int]]:
    """The users that were made, and the statuses of everything, until the time in `ends`."""
    made, statuses = [], []
    while not ends or time.monotonic() < ends[0]:
        answer = users.post({"name": "Ada", "email": fresh_email()})
        statuses.append(answer.status_code)
        if answer.status_code == 201:
            user_id = answer.json()["id"]
            made.append(user_id)
            statuses += [users.patch(user_id, {"name": "Grace"}).status_code, users.get(user_id).status_code]
            statuses.append(users.list(limit=5).status_code)
    return made, statuses


def test_no_request_fails_and_no_user_is_lost_or_doubled() -> None:
    with ExitStack() as stack:
        nodes = stack.enter_context(cluster())
        users = Users(stack.enter_context(serving("users_site", REDIS_URL=nodes.url, PARTITIONS="16")).url)
        users.created()
        ends: list[float] = []
        with ThreadPoolExecutor(4) as pool:
            lives = [pool.submit(live, users, ends) for _ in range(4)]
            try:
                assert grow(stack, nodes) >= 3
            finally:
                ends.append(time.monotonic() + 1)
            made = [user_id for each in lives for user_id in each.result(60)[0]]
            statuses = {status for each in lives for status in each.result()[1]}
        assert statuses == {200, 201}
        assert len(made) > 100
        assert all(users.get(user_id).json()["name"] == "Grace" for user_id in made)
        assert users.list(limit=1).json()["count"] == len(made) + 1
