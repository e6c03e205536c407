"""verify_users: finds every kind of inconsistency, and repairs those with one right answer."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management.base import CommandError
from redis import Redis

from users_site.models import User
from users_site.operations.findings import REPAIRABLE
from users_site.repository.keys import Layout
from users_site.tests.management.conftest import Argv, Run, a_user, contents, parsed, put
from users_site.tests.repository.people import PARTITION, UNKNOWN

DAY = 24 * 60 * 60


def found(argv: Argv, *options: str) -> dict[str, int]:
    """The number of findings by kind; checks the exit code too."""
    done = argv("verify_users", "--format", "json", *options)
    report = parsed(done.stdout)["disagreements"]
    assert done.returncode == int(any(not entry["repaired"] for entry in report))
    return {entry["kind"]: entry["count"] for entry in report}


REPAIRS: list[tuple[str, Callable[[Redis, User], object]]] = [
    ("record-unindexed", lambda redis, user: redis.zrem(PARTITION.index, user.id)),
    ("record-unclaimed", lambda redis, user: redis.delete(PARTITION.claim(user.email))),
    ("claim-stale", lambda redis, user: redis.set(PARTITION.claim("gone@example.com"), a_user().id)),
    ("claim-stale", lambda redis, user: redis.set(PARTITION.claim("former@example.com"), user.id)),
    ("index-stale", lambda redis, user: redis.zadd(PARTITION.index, {a_user().id: 0})),
    ("index-misplaced", lambda redis, user: redis.zadd(PARTITION.index, {user.id: 7})),
    ("idempotency-stuck", lambda redis, user: redis.set(PARTITION.idempotency("k"), b"f" * 32 + user.document())),
    ("idempotency-stuck", lambda redis, user: redis.set(PARTITION.idempotency("k"), b"f" * 32, ex=2 * DAY)),
    ("idempotency-broken", lambda redis, user: redis.set(PARTITION.idempotency("k"), b"f" * 32 + b"{", ex=100)),
    ("key-expiring", lambda redis, user: redis.expire(PARTITION.record(user.id), 1000)),
    ("key-expiring", lambda redis, user: redis.expire(PARTITION.claim(user.email), 1000)),
    ("key-expiring", lambda redis, user: redis.expire(PARTITION.index, 1000)),
]


@pytest.mark.parametrize(("kind", "corrupt"), REPAIRS)
def test_found_then_repaired_then_gone(
    argv: Argv, redis: Redis, kind: str, corrupt: Callable[[Redis, User], object]
) -> None:
    for number in range(3):
        put(redis, a_user(number))
    user = put(redis, a_user(9))
    whole = contents(redis)
    corrupt(redis, user)
    corrupted = contents(redis)
    assert found(argv) == {kind: 1}
    assert contents(redis) == corrupted
    assert found(argv, "--repair") == {kind: 1}
    assert found(argv) == {}
    after = {key: value for key, value in contents(redis).items() if b":idem:" not in key}
    assert after == whole
    if kind == "idempotency-stuck":
        assert 0 < redis.ttl(PARTITION.idempotency("k")) <= DAY


def test_claim_of_an_earlier_version_is_moved_in_one_step(argv: Argv, redis: Redis) -> None:
    """Versions before the A-labels claimed the case-folded text."""
    user = put(redis, a_user(email="Nine@Bücher.example"))
    redis.rename(PARTITION.claim(user.email), "{users:0}:email:nine@bücher.example")
    assert found(argv) == {"claim-stale": 1, "record-unclaimed": 1}
    assert found(argv, "--repair") == {"claim-stale": 1}
    assert redis.get("{users:0}:email:nine@xn--bcher-kva.example") == user.id.encode()
    assert found(argv) == {}


BROKEN: dict[str, Callable[[User], bytes]] = {
    "no-json": lambda user: b"{",
    "no-object": lambda user: b"[]",
    "field-missing": lambda user: b'{"id":"%b"}' % user.id.encode(),
    "white-space": lambda user: user.document().replace(b",", b", ", 1),
    "role": lambda user: a_user(id=user.id, email=user.email, role="root").document(),
    "name": lambda user: a_user(id=user.id, email=user.email, name=" x").document(),
    "control-character": lambda user: a_user(id=user.id, email=user.email, name="a\x85b").document(),
    "email": lambda user: a_user(id=user.id, email="nobody").document(),
    "time": lambda user: a_user(id=user.id, email=user.email, created_at="2026-02-30T00:00:00.000000Z").document(),
    "number": lambda user: user.document().replace(b'"user"', b"1"),
}


def overwritten(broken: Callable[[User], bytes]) -> Callable[[Redis, User], object]:
    return lambda redis, user: redis.set(PARTITION.record(user.id), broken(user))


def hash_in_place_of_the_record(redis: Redis, user: User) -> None:
    redis.delete(PARTITION.record(user.id))
    redis.hset(PARTITION.record(user.id), "a", "b")


LISTED: list[tuple[str, Callable[[Redis, User], object]]] = [
    *(("record-broken", overwritten(broken)) for broken in BROKEN.values()),
    ("record-misplaced", lambda redis, user: redis.set(PARTITION.record(a_user().id), user.document())),
    ("email-shared", lambda redis, user: put(redis, a_user(2, email=user.email.upper()))),
    ("key-unknown", hash_in_place_of_the_record),
    *(
        ("key-unknown", lambda redis, user, key=key: redis.set(key, "x"))
        for key in ("{users:0}:usr:1", "{users:0}", "{users:0}:idsx", "{users:x}:user:1")
    ),
    *(
        ("key-unknown", lambda redis, user, key=key: redis.hset(key, "a", "b"))
        for key in (PARTITION.claim("a@b.example"), PARTITION.record(UNKNOWN), PARTITION.idempotency("k"))
    ),
]


@pytest.mark.parametrize(("kind", "corrupt"), LISTED)
def test_what_has_no_one_right_answer_is_listed_and_left(
    argv: Argv, redis: Redis, kind: str, corrupt: Callable[[Redis, User], object]
) -> None:
    corrupt(redis, put(redis, a_user()))
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    assert found(argv, "--repair") == {kind: 1}
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_claim_that_names_another_is_given_back(argv: Argv, redis: Redis) -> None:
    user, other = put(redis, a_user(1)), put(redis, a_user(2))
    redis.set(PARTITION.claim(user.email), other.id)
    assert found(argv) == {"claim-stale": 1, "record-unclaimed": 1}
    found(argv, "--repair")
    assert redis.get(PARTITION.claim(user.email)) == user.id.encode()
    assert found(argv) == {}


def test_record_in_a_partition_that_is_not_its_own_is_listed(argv: Argv, redis: Redis, settings: Any) -> None:
    settings.PARTITIONS = 16
    user, layout = a_user(), Layout(16)
    elsewhere = layout.partitions[layout.of(user.id).number - 1]
    redis.set(elsewhere.record(user.id), user.document())
    redis.zadd(elsewhere.index, {user.id: 0})
    assert found(argv, "--repair") == {"record-misplaced": 1}


def test_index_of_another_type_is_listed_and_the_rest_is_checked(argv: Argv, redis: Redis) -> None:
    user = put(redis, a_user())
    redis.delete(PARTITION.claim(user.email))
    redis.set(PARTITION.index, "x")
    assert found(argv) == {"key-unknown": 1}
    redis.delete(PARTITION.index)
    assert found(argv, "--repair") == {"record-unindexed": 1, "record-unclaimed": 1}
    assert found(argv) == {}


def test_binary_names_and_members_are_listed_printable(argv: Argv, run: Run, redis: Redis) -> None:
    put(redis, a_user())
    redis.zadd(PARTITION.index, {b"\xff\x00\x1b[2J": 0})
    redis.set(b"{users:0}:email:\xfe\n", a_user().id)
    redis.set(b"{users:0}:user:\xff", b"x")
    with pytest.raises(CommandError):
        run("verify_users")
    assert found(argv, "--repair") == {"claim-stale": 1, "record-broken": 1, "index-stale": 1}


@pytest.mark.parametrize(
    ("damage", "options", "hint"),
    [
        (lambda redis, user: redis.zrem(PARTITION.index, user.id), {}, "1 findings are left: --repair fixes 1"),
        (lambda redis, user: redis.set("{users:0}:x", 1), {}, "1 need a manual decision: see docs/"),
        (lambda redis, user: redis.set("{users:0}:x", 1), {"repair": True}, "left: 1 need a manual decision"),
    ],
)
def test_closing_hint_is_true(run: Run, redis: Redis, damage: Any, options: dict[str, bool], hint: str) -> None:
    damage(redis, put(redis, a_user()))
    with pytest.raises(CommandError, match=hint):
        run("verify_users", **options)


def test_many_of_each_are_counted_and_a_few_shown(run: Run, redis: Redis) -> None:
    for number in range(30):
        redis.zrem(PARTITION.index, put(redis, a_user(number)).id)
    with pytest.raises(CommandError, match="30 findings"):
        run("verify_users")
    report = run("verify_users", repair=True, examples=2)
    assert "record not in the index" in report
    assert report.count("{users:0}:user:") == 2


def test_unusual_users_entries_of_the_api_and_keys_of_others_are_fine(argv: Argv, redis: Redis) -> None:
    user = put(redis, a_user(1, name='O"Neil \\ 武', email='"a!b"@example.com'))
    put(redis, a_user(2, email="u@Exämple.com"))
    put(redis, a_user(3, email="u@straße.example"))
    put(redis, a_user(5, email="x" * 80 + "@example.com"))  # earlier versions had no limit on the local part
    put(redis, a_user(4, name="x" * 200, email="UPPER+tag@sub.example.co.uk"))
    redis.set("session:1", "x")
    created = f"+{user.id} {user.created_at}".encode()
    for number, answer in enumerate((created, b"-", created.replace(b"+", b"?"), user.document(), b"")):
        redis.set(PARTITION.idempotency(f"k{number}"), b"\xff" * 32 + answer, ex=DAY)
    assert found(argv) == {}


def test_repairable_kinds_are_those_with_a_repair_here() -> None:
    assert {kind.name.lower().replace("_", "-") for kind in REPAIRABLE} == {kind for kind, _ in REPAIRS}
