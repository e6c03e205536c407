"""Stale claims, dropped a minute later."""

import asyncio

import pytest

from common.observability.notices import Notices
from users_site.repository import sweeping
from users_site.repository.claims import now_ms
from users_site.repository.errors import EmailTaken
from users_site.repository.sweeping import Sweeper
from users_site.tests.repository.conftest import Process
from users_site.tests.repository.people import email_in, swept, to, user_in


async def test_sweeper_keeps_a_claim_that_came_back(process: Process) -> None:
    """Suspected when the user left the email; looked at when the user has it again."""
    users = process()
    user, far, elsewhere = await user_in(users, 3), email_in(users, 4), email_in(users, 5)
    for email in (far, elsewhere, far):
        await users.update(user.id, to(email=email), email=email)
    await swept(users)
    with pytest.raises(EmailTaken):
        await users.create("Eve", far, "user")


async def test_sweeper_drops_a_suspect_that_is_no_text(process: Process) -> None:
    """It must not keep the sweeper from the others."""
    users = process()
    user, far, elsewhere = await user_in(users, 3), email_in(users, 4), email_in(users, 5)
    partition = users.store.layout.of_email(far)
    await users.store.execute(partition, "test", b"ZADD", partition.suspects, 1, b"\xff")
    for email in (far, elsewhere):
        await users.update(user.id, to(email=email), email=email)
    await swept(users)
    assert await users.store.execute(partition, "test", b"ZRANGE", partition.suspects, 0, -1) == []


async def test_suspect_is_not_looked_at_before_a_failover_could_take_the_change_back(process: Process) -> None:
    users = process()
    user = await user_in(users, 3)
    for number in (4, 5):
        await swept(users)
        await users.update(user.id, to(email=email_in(users, number)))
    for partition in users.store.layout.partitions[4:6]:
        await Sweeper(users.cross_partition).sweep(partition, now_ms() + 50_000)
        assert await users.store.execute(partition, "suspects", b"ZCARD", partition.suspects) == 1


async def test_sweeper_looks_beyond_a_suspect_that_it_cannot_judge(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sweeping, "_notices", Notices(sweeping.logger))  # another test may have warned
    users = process()
    user, far, elsewhere = await user_in(users, 3), email_in(users, 4), email_in(users, 5)
    partition = users.store.layout.of_email(far)
    await users.store.execute(partition, "test", b"ZADD", partition.suspects, 1, "list")
    await users.store.execute(partition, "test", b"RPUSH", partition.claim("list"), "x")
    for email in (far, elsewhere):
        await users.update(user.id, to(email=email), email=email)
    await swept(users)
    assert not await users.store.execute(partition, "test", b"EXISTS", partition.claim(far))
    [again, score] = await users.store.execute(partition, "test", b"ZRANGE", partition.suspects, 0, -1, b"WITHSCORES")
    assert again == b"list"
    assert int(score) > now_ms()
    fields = {"partition": str(partition), "reason": "Redis refused 'claim' with WRONGTYPE"}
    assert caplog.records[-1].__dict__["fields"] == fields


async def test_sweeper_waits_for_a_change_under_way_and_aborts_an_abandoned_one(process: Process) -> None:
    users = process(patience_ms=60_000)
    user, far = await user_in(users, 3), email_in(users, 4)
    store, home, away = users.store, users.store.layout.of(user.id), users.store.layout.of_email(far)
    for age_ms, left in ((0, 1), (61_000, 0)):
        token = f"{now_ms() - age_ms}-x"
        await store.execute(home, "test", b"SET", home.intent(user.id), token)
        await store.execute(away, "test", b"SET", away.claim(far), f"{user.id} {token}")
        await store.execute(away, "test", b"ZADD", away.suspects, 1, far)
        await Sweeper(users.cross_partition).sweep(away)
        assert await store.execute(away, "test", b"ZCARD", away.suspects) == left
        assert await store.execute(away, "test", b"EXISTS", away.claim(far)) == left
    assert not await store.execute(home, "test", b"EXISTS", home.intent(user.id))


async def test_sweeper_looks_at_1000_suspects_at_once(process: Process) -> None:
    store = process().store
    partition = store.layout.partitions[4]
    suspects = [word for number in range(1001) for word in (1, f"user-{number}@example.org")]
    await store.execute(partition, "test", b"ZADD", partition.suspects, *suspects)
    await Sweeper(process().cross_partition).sweep(partition)
    assert await store.execute(partition, "test", b"ZCARD", partition.suspects) == 1


async def test_sweeper_has_nothing_to_do_with_one_partition(process: Process) -> None:
    async with asyncio.timeout(5):
        await Sweeper(process(partitions=1).cross_partition).run()
