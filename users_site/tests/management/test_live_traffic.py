"""The commands while the service writes: no false finding, no lost user, no user twice."""

import time
from pathlib import Path

from redis import Redis

from tools.processes.store import Store
from users_site.tests.management.conftest import Run
from users_site.tests.management.traffic import writers
from users_site.tests.repository.people import PARTITION


def test_verify_finds_nothing_wrong_while_users_come_change_and_go(run: Run, redis: Redis, own_store: Store) -> None:
    run("seed_users", count=500)
    with writers(own_store):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert "everything agrees" in run("verify_users")
            assert "everything agrees" in run("verify_users", repair=True)
    assert redis.zcard(PARTITION.index) > 500


def test_export_and_import_under_traffic_keep_every_lasting_user_once(
    run: Run, redis: Redis, own_store: Store, tmp_path: Path
) -> None:
    ids = set(run("seed_users", count=2000, print_ids=True).split())
    with writers(own_store):
        run("export_users", str(tmp_path / "a"))
    exported = [line[7:43].decode() for line in (tmp_path / "a").read_bytes().splitlines()[1:-1]]
    assert len(exported) == len(set(exported))
    assert ids <= set(exported)
    redis.flushall()
    with writers(own_store):
        run("import_users", str(tmp_path / "a"), on_conflict="replace")
    stored = {user_id.decode() for user_id in redis.zrange(PARTITION.index, 0, -1)}
    assert ids <= stored
    assert "everything agrees" in run("verify_users")
