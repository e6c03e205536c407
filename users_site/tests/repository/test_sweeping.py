"""Stale claims, dropped a minute later."""

import pytest

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


async def test_sweeper_looks_beyond_a_suspect_that_it_cannot_judge(process: Process) -> None:
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
