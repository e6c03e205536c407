"""The commands on a Redis Cluster, and their errors for an unusable one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from packages.redis_pipe import slot_of
from tools.processes.cluster import PRIMARIES, Nodes, cluster, node_id, ranges, until, url_of
from tools.processes.store import Store
from users_site.checks import store_in_production
from users_site.repository.keys import Layout
from users_site.tests.management.conftest import Argv, Run
from users_site.tests.repository.people import PARTITION


@pytest.fixture(scope="module")
def running() -> Iterator[Nodes]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture
def nodes(running: Nodes, redis: Any, settings: Any) -> Nodes:
    """The cluster, whole and empty; `redis` first, as it names its own store."""
    running.restore()
    settings.REDIS_URL = running.url
    return running


def test_nodes_that_announce_no_name_are_found(run: Run, nodes: Nodes, settings: Any) -> None:
    settings.PARTITIONS = 16

    def announce(kind: str) -> None:
        for node in nodes.all:
            node.command("CONFIG", "SET", "cluster-preferred-endpoint-type", kind)

    announce("hostname")  # none is set: "?"
    try:
        run("seed_users", count=100, production=True)
        assert "everything agrees" in run("verify_users")
    finally:
        announce("ip")


def test_the_new_owner_is_found_after_a_failover(run: Run, nodes: Nodes) -> None:
    run("seed_users", count=10, seed="demo", production=True)
    replica = nodes.replica
    replica.command("CLUSTER", "FAILOVER")
    until(lambda: nodes.owner is replica)
    run("seed_users", count=20, seed="demo", production=True)
    assert replica.command("ZCARD", PARTITION.index) == 20


def test_while_a_slot_is_moved_key_by_key_a_command_refuses(run: Run, nodes: Nodes, settings: Any) -> None:
    """SCAN would miss the moved keys without an error."""
    settings.PARTITIONS, slot = 16, slot_of(Layout(16).partitions[0].index)
    run("seed_users", count=10, seed="demo", production=True)
    primaries = [node for node in nodes.all if node is not nodes.replica]
    source, target = sorted(primaries, key=lambda node: not nodes.serves(node, slot))[:2]
    target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", node_id(source))
    source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", node_id(target))
    try:
        for command in (["verify_users"], ["seed_users", "--count=0", "--clear", "--yes", "--production"]):
            with pytest.raises(CommandError, match="tryagain"):
                run(*command)
    finally:
        for node in (source, target):
            node.command("CLUSTER", "SETSLOT", slot, "STABLE")
    run("verify_users")


def test_a_demoted_server_is_reported_as_such(run: Run, nodes: Nodes, settings: Any) -> None:
    settings.REDIS_URL = url_of(nodes.replica.port).replace("redis+cluster", "redis")
    with pytest.raises(CommandError, match="moved"):
        run("verify_users")


def test_commands_reach_16_partitions_on_all_primaries(
    run: Run, nodes: Nodes, settings: Any, tmp_path: Path, own_store: Store, redis: Any
) -> None:
    with own_store.client() as single:
        single.flushall()
    settings.REDIS_URL, cluster_url = own_store.url, settings.REDIS_URL
    run("seed_users", count=600, seed="demo", production=True)
    run("export_users", str(tmp_path / "one"))
    settings.PARTITIONS = 16
    run("move_users", "--from", own_store.url, "--to", cluster_url)
    settings.REDIS_URL = cluster_url
    counts = [node.client().dbsize() for node in nodes.all if node is not nodes.replica]
    assert min(counts) > 100
    run("export_users", str(tmp_path / "sixteen"))
    one, sixteen = ((tmp_path / name).read_bytes().splitlines() for name in ("one", "sixteen"))
    assert one[1:] == sixteen[1:]
    assert "everything agrees" in run("verify_users")
    run("seed_users", count=0, clear=True, yes=True, production=True)
    run("import_users", str(tmp_path / "one"))
    assert "everything agrees" in run("verify_users")


def test_check_looks_at_every_primary(nodes: Nodes, settings: Any) -> None:
    settings.PARTITIONS = 16

    def found() -> set[str]:
        return {str(each.id) for each in store_in_production()}

    before = found()
    for node in nodes.all:
        if node is not nodes.replica:
            node.command("CONFIG", "SET", "appendonly", "no")
            try:
                assert found() - before == {"users.W022"}
            finally:
                node.command("CONFIG", "SET", "appendonly", "yes")


def test_uncovered_slots_are_one_line(argv: Argv, nodes: Nodes, settings: Any) -> None:
    settings.PARTITIONS = 16
    other = nodes.another()
    first, last = ranges(PRIMARIES)[nodes.all.index(other)]
    slot = next(slot for partition in Layout(16).partitions if first <= (slot := slot_of(partition.index)) <= last)
    for node in nodes.all:
        if node is not nodes.replica:
            node.command("CLUSTER", "DELSLOTS", slot)
    try:
        found = argv("verify_users"), argv("wait_for_redis", "--timeout=1")
    finally:
        other.command("CLUSTER", "ADDSLOTS", slot)
    for done in found:
        assert (done.returncode, done.stdout) == (1, "")
        assert "redis+cluster://:***@127.0.0.1" in done.line
        assert "clusterdown" in done.line
