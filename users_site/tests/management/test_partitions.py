"""The commands over several partitions, with users whose email belongs to another partition than they do."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from redis import Redis

from packages.redis_pipe import Address
from tools.processes.store import Store
from users_site.models import User
from users_site.operations.bulk import Bulk
from users_site.operations.loading import Entry, load
from users_site.repository.keys import Layout
from users_site.tests.management.conftest import Run, a_user, put
from users_site.tests.management.traffic import writers
from users_site.tests.repository.people import PARTITION

LAYOUT = Layout(16)


def mixed(number: int) -> list[User]:
    """Half of them live in another partition than their email: their ids are of an earlier email, or hold no bits."""
    users = []
    for each in range(number):
        former = a_user(each, email=f"former{each}@example.com").id
        ids = (None, former, f"0190{each:04x}-0000-7000-8000-000000000000", None)
        user_id = ids[each % 4]
        users.append(a_user(each, **({"id": user_id} if user_id else {})))
    return users


def loaded(store: Store, users: list[User]) -> None:
    bulk = Bulk(Address.from_url(store.url), LAYOUT)
    list(load(bulk, [Entry(user.id, user.email, user.document()) for user in users]))
    bulk.close()


def digest(run: Run, path: Path) -> str:
    [found] = re.findall(r"sha256 ([0-9a-f]{64})", run("export_users", str(path)))
    return found


def test_export_has_the_same_digest_whatever_the_partitions_and_imports_back(
    run: Run, redis: Redis, tmp_path: Path, settings: Any
) -> None:
    for user in mixed(400):
        put(redis, user)
    wanted = digest(run, tmp_path / "one")
    for partitions in (64, 1):
        redis.flushall()
        settings.PARTITIONS = partitions
        assert "400 users" in run("import_users", str(tmp_path / "one"))
        assert digest(run, tmp_path / str(partitions)) == wanted
        assert "everything agrees" in run("verify_users")
        assert "400 unchanged" in run("import_users", str(tmp_path / "one"))


def test_seeding_spreads_users_and_clears_them(run: Run, redis: Redis, settings: Any) -> None:
    settings.PARTITIONS = 16
    run("seed_users", count=800, seed="demo")
    assert min(redis.zcard(partition.index) for partition in LAYOUT.partitions) > 20
    assert "everything agrees" in run("verify_users")
    run("seed_users", count=0, clear=True, yes=True, production=True)
    assert {name.split(b":")[1] for name in redis.scan_iter("{u??}:*")} == {b"epoch"}


@pytest.mark.parametrize("policy", ["skip", "replace"])
def test_conflicts_of_far_users(
    run: Run, redis: Redis, tmp_path: Path, settings: Any, own_store: Store, policy: str
) -> None:
    settings.PARTITIONS = 16
    users = mixed(40)
    stored = [a_user(each, id=a_user(each, email=f"other{each}@example.com").id) for each in range(20)]
    loaded(own_store, users)
    run("export_users", str(tmp_path / "a"))
    redis.flushall()
    loaded(own_store, stored)
    run("import_users", str(tmp_path / "a"), on_conflict=policy)
    assert "everything agrees" in run("verify_users")
    kept = stored[0] if policy == "skip" else users[0]
    assert redis.get(LAYOUT.of(kept.id).record(kept.id)) == kept.document()
    assert sum(redis.zcard(partition.index) for partition in LAYOUT.partitions) == 40


def test_conflict_of_a_far_user_stores_nothing_of_its_batch(
    run: Run, redis: Redis, tmp_path: Path, settings: Any, own_store: Store
) -> None:
    settings.PARTITIONS = 16
    users = [a_user(id=a_user(email="former@example.com").id, email=f"far{each}@example.com") for each in range(5)]
    loaded(own_store, users)
    run("export_users", str(tmp_path / "a"))
    redis.flushall()
    holder = a_user(email=users[3].email)
    loaded(own_store, [holder])
    with pytest.raises(CommandError, match=f"line 5: .*{holder.id}; nothing of its batch was stored, at least 0 other"):
        run("import_users", str(tmp_path / "a"))
    assert sum(redis.zcard(home.index) for home in LAYOUT.partitions) == 1


def test_users_are_moved_from_one_partition_to_16_while_the_service_writes(
    run: Run, redis: Redis, own_store: Store, target: Redis, target_store: Store, settings: Any, tmp_path: Path
) -> None:
    for user in mixed(800):
        put(redis, user)
    keyed = put(redis, a_user(email="keyed@example.com"))
    answer = b"f" * 32 + f"+{keyed.id} {keyed.created_at}".encode()
    redis.set(PARTITION.idempotency("a-key"), answer, ex=1000)
    settings.PARTITIONS = 16
    with writers(own_store) as answered:
        time.sleep(0.3)
        run("move_users", "--from", own_store.url, "--to", target_store.url)
    assert len(answered) > 50
    for user_id, last in answered.items():
        assert target.get(LAYOUT.of(user_id).record(user_id)) == (last.document() if last else None)
    entries = [LAYOUT.of_key("a-key", "").idempotency("a-key"), LAYOUT.of(keyed.id).made(keyed.id)]
    assert target.mget(entries) == [answer, answer]
    assert target.ttl(entries[0]) > 900
    settings.PARTITIONS = 1
    before = digest(run, tmp_path / "source")
    settings.PARTITIONS, settings.REDIS_URL = 16, target_store.url
    assert digest(run, tmp_path / "target") == before
    assert "everything agrees" in run("verify_users")
    settings.PARTITIONS = 1  # and back
    redis.flushall()
    run("move_users", "--from", target_store.url, "--to", own_store.url)
    settings.REDIS_URL = own_store.url
    assert digest(run, tmp_path / "back") == before
    assert redis.mget([PARTITION.idempotency("a-key"), PARTITION.made(keyed.id)]) == [answer, answer]


def damaged(redis: Redis, settings: Any, own_store: Store) -> User:
    settings.PARTITIONS = 16
    user = next(user for user in mixed(9) if LAYOUT.of(user.id) is not LAYOUT.of_email(user.email))
    loaded(own_store, [user])
    return user


def test_a_cross_partition_user_without_a_claim_gets_it_back(
    run: Run, redis: Redis, settings: Any, own_store: Store
) -> None:
    user = damaged(redis, settings, own_store)
    claim = LAYOUT.of_email(user.email).claim(user.email)
    assert redis.getdel(claim) == f"{user.id} far".encode()
    with pytest.raises(CommandError, match="1 findings"):
        run("verify_users")
    run("verify_users", repair=True)
    assert redis.get(claim) == f"{user.id} far".encode()


@pytest.mark.parametrize("claim", ["{id} far", "{id} 1700000000000-00", "{unknown} far"])
def test_claim_that_no_record_confirms_is_dropped(
    run: Run, redis: Redis, settings: Any, own_store: Store, claim: str
) -> None:
    user = damaged(redis, settings, own_store)
    key = LAYOUT.of_email("nobody@example.com").claim("nobody@example.com")
    redis.set(key, claim.format(id=user.id, unknown=a_user(77).id))
    with pytest.raises(CommandError, match="1 findings"):
        run("verify_users")
    run("verify_users", repair=True)
    assert not redis.exists(key)


def test_email_of_a_near_and_a_far_user_is_listed(run: Run, redis: Redis, settings: Any, own_store: Store) -> None:
    user = damaged(redis, settings, own_store)
    other = a_user(email=user.email)
    partition = LAYOUT.of(other.id)
    redis.set(partition.record(other.id), other.document())
    redis.zadd(partition.index, {other.id: 0})
    with pytest.raises(CommandError, match="1 need a manual decision"):
        run("verify_users", repair=True)
