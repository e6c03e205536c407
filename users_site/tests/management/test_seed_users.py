"""seed_users: which users it creates, what it keeps, and what it refuses."""

from datetime import datetime
from itertools import islice
from typing import Any

import pytest
from django.core.management.base import CommandError
from redis import Redis

from users_contract.contracts import UserSerializer
from users_site.models import User
from users_site.operations.seed import people
from users_site.tests.management.conftest import Argv, Run, a_user, contents, parsed, put
from users_site.tests.repository.people import PARTITION


def users_in(redis: Redis) -> list[User]:
    ids: Any = redis.zrange(PARTITION.index, 0, -1)
    found: Any = redis.mget([PARTITION.record(i.decode()) for i in ids])
    return [User.from_document(document) for document in found]


def test_summary_as_json(run: Run) -> None:
    run("seed_users", count=3, seed="a")
    summary = parsed(run("seed_users", count=5, seed="a", format="json"))
    assert summary.pop("seconds") >= 0  # rounded to ms
    assert summary == {"seed": "a", "created": 2, "skipped": 3}


def test_every_user_is_valid_indexed_and_claimed(run: Run, redis: Redis) -> None:
    run("seed_users", count=250, seed="s")
    users = users_in(redis)
    assert len(users) == 250
    assert redis.dbsize() == 250 * 2 + 1
    for user in users:
        serializer = UserSerializer(data={"name": user.name, "email": user.email, "role": user.role})
        assert serializer.is_valid(), serializer.errors
        assert dict(serializer.validated_data) == {"name": user.name, "email": user.email, "role": user.role}
        assert redis.get(PARTITION.claim(user.email)) == user.id.encode()
        assert redis.get(PARTITION.record(user.id)) == user.document()
        milliseconds = int(user.id.replace("-", "")[:12], 16)
        assert int(datetime.fromisoformat(user.created_at).timestamp() * 1_000_000 + 0.5) // 1000 == milliseconds
        assert user.updated_at == user.created_at


def test_stdout_is_ids_in_the_order_of_creation_and_nothing_else(argv: Argv, redis: Redis) -> None:
    done = argv("seed_users", "--count", "220", "--print-ids")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [user.id for user in users_in(redis)]
    assert done.stdout.splitlines() == sorted(set(done.stdout.split()))
    assert "220 users seeded" in done.stderr


def test_same_seed_makes_the_same_people() -> None:
    first, again, other = (list(islice(people(seed), 120)) for seed in ("one", "one", "two"))
    assert first == again != other


def test_emails_of_one_seed_are_unique() -> None:
    emails = {hash(email) for _, email, _ in islice(people("s"), 200_000)}
    assert len(emails) == 200_000


def test_names_and_roles_are_of_many_kinds() -> None:
    made = list(islice(people("s"), 2000))
    assert len({name for name, _, _ in made}) > 1500
    assert {role for _, _, role in made} == {"user", "admin"}
    assert any(not name.isascii() for name, _, _ in made)


def test_second_run_with_the_seed_changes_nothing_and_a_longer_one_adds_the_others(run: Run, redis: Redis) -> None:
    first = run("seed_users", count=130, seed="s", print_ids=True)
    before = contents(redis)
    assert run("seed_users", count=130, seed="s", print_ids=True) == first
    assert contents(redis) == before
    run("seed_users", count=170, seed="s")
    assert redis.zcard(PARTITION.index) == 170


def test_taken_email_is_left_to_its_holder(run: Run, redis: Redis) -> None:
    _, email, _ = next(people("s"))
    holder = put(redis, a_user(email=email.upper()))
    printed = run("seed_users", count=3, seed="s", print_ids=True).split()
    assert holder.id in printed
    assert redis.get(PARTITION.claim(email)) == holder.id.encode()
    assert redis.zcard(PARTITION.index) == 3


def test_store_with_real_people_needs_production(run: Run, redis: Redis, settings: Any) -> None:
    settings.DEBUG = False
    put(redis, a_user(email="someone@somewhere.net"))
    with pytest.raises(CommandError, match="real addresses"):
        run("seed_users", count=1)
    assert redis.zcard(PARTITION.index) == 1
    run("seed_users", count=1, production=True)
    assert redis.zcard(PARTITION.index) == 2


def test_without_a_seed_every_run_makes_others_which_a_production_store_may_get(
    run: Run, redis: Redis, settings: Any
) -> None:
    settings.DEBUG = False
    for _ in range(2):
        run("seed_users", count=50)
    assert redis.zcard(PARTITION.index) == 100


@pytest.mark.parametrize("told", [{}, {"yes": True}, {"production": True}])
def test_clear_of_a_production_store_needs_two_options(run: Run, redis: Redis, settings: Any, told: Any) -> None:
    settings.DEBUG = False
    put(redis, a_user())
    with pytest.raises(CommandError, match="--yes and --production"):
        run("seed_users", count=0, clear=True, **told)
    assert redis.dbsize() == 3


def test_clear_without_a_terminal_needs_yes(argv: Argv, redis: Redis, settings: Any) -> None:
    settings.DEBUG = True
    put(redis, a_user())
    done = argv("seed_users", "--count", "0", "--clear", stdin="y\n")
    assert done.returncode == 1
    assert "give --yes" in done.stderr
    assert redis.dbsize() == 3


def test_clear_deletes_the_layouts_keys_and_no_others(run: Run, redis: Redis, settings: Any) -> None:
    settings.DEBUG = True
    put(redis, a_user())
    redis.set("{users:0}:idem:k", "x")
    redis.set("somebody-elses", "x")
    run("seed_users", count=2, clear=True, yes=True)
    assert redis.zcard(PARTITION.index) == 2
    assert redis.get("somebody-elses") == b"x"
    assert redis.dbsize() == 2 * 2 + 1 + 1
