"""The commands while the service writes: no false finding, no lost user, no user twice."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from packages.redis_pipe import Script
from tools.processes.store import Store
from users_site.models import User
from users_site.repository import scripts
from users_site.repository.change import version
from users_site.tests.management.conftest import a_user
from users_site.tests.repository.people import HOME

Run = Callable[..., str]


def call(redis: Redis, script: Script, key_list: list[str], *args: str | bytes) -> None:
    redis.eval(script.source, len(key_list) + 1, HOME.epoch, *key_list, "1", *args)


def create(redis: Redis, user: User) -> None:
    three = [HOME.record(user.id), HOME.index, HOME.claim(user.email)]
    call(redis, scripts.CREATE, three, user.id, user.document(), "", "")


def move(redis: Redis, user: User, changed: User) -> None:
    three = [HOME.record(user.id), HOME.claim(changed.email), HOME.claim(user.email)]
    call(redis, scripts.REPLACE, three, version(user.document()), changed.document(), user.id, "")


def delete(redis: Redis, user: User) -> None:
    three = [HOME.record(user.id), HOME.index, HOME.claim(user.email)]
    call(redis, scripts.DELETE, three, version(user.document()), user.id)


@contextmanager
def traffic(store: Store) -> Iterator[None]:
    """The API's own scripts at full speed: users are created, moved and deleted."""
    stop = threading.Event()

    def write() -> None:
        with store.client() as redis:
            number = 0
            while not stop.is_set():
                number += 1
                user = a_user(email=f"live{number}@example.com")
                changed = a_user(id=user.id, email=f"moved{number}@example.com")
                create(redis, user)
                move(redis, user, changed)
                if random.random() < 0.8:
                    delete(redis, changed)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_verify_finds_nothing_wrong_while_users_come_change_and_go(run: Run, redis: Redis, own_store: Store) -> None:
    run("seed_users", count=500)
    with traffic(own_store):
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert "everything agrees" in run("verify_users")
            assert "everything agrees" in run("verify_users", repair=True)
    assert redis.zcard(HOME.index) > 500


def test_export_has_every_lasting_user_once(run: Run, redis: Redis, own_store: Store, tmp_path: Path) -> None:
    ids = set(run("seed_users", count=3000, print_ids=True).split())
    with traffic(own_store):
        run("export_users", str(tmp_path / "a"))
    exported = [line[7:43].decode() for line in (tmp_path / "a").read_bytes().splitlines()[1:-1]]
    assert len(exported) == len(set(exported))
    assert ids <= set(exported)


@pytest.mark.parametrize("policy", ["fail", "skip", "replace"])
def test_import_under_traffic_leaves_a_store_that_agrees(
    run: Run, redis: Redis, own_store: Store, tmp_path: Path, policy: str
) -> None:
    run("seed_users", count=2000)
    run("export_users", str(tmp_path / "a"))
    redis.flushall()
    with traffic(own_store):
        run("import_users", str(tmp_path / "a"), on_conflict=policy)
    assert redis.zcard(HOME.index) >= 2000
    assert "everything agrees" in run("verify_users")
