"""Change of email into another partition, and deletion of such a user: several steps, of which one decides."""

import asyncio

import pytest

from packages.redis_pipe import Address, Reason, Unavailable
from users_site.models import User
from users_site.operations.bulk import Bulk
from users_site.repository.errors import EmailTaken, StoreUnavailable, UserNotFound, VersionMismatch, WrongLayout
from users_site.repository.keys import Layout
from users_site.tests.repository.conftest import Process, pipe_of
from users_site.tests.repository.people import email_in, leftovers, to, user_in


async def test_a_cross_partition_user_keeps_the_email_against_others(process: Process) -> None:
    users = process()
    user, other, neighbour = await user_in(users, 3), await user_in(users, 5), await user_in(users, 4)
    email = email_in(users, 4)
    await users.update(user.id, to(email=email))
    for taken in (
        users.create("Eve", email.upper(), "user"),
        users.update(other.id, to(email=email), email=email),
        users.update(neighbour.id, to(email=email)),
    ):
        with pytest.raises(EmailTaken):
            await taken


async def test_a_cross_partition_user_changes_other_fields(process: Process) -> None:
    users = process()
    user, email = await user_in(users, 3), email_in(users, 4)
    await users.update(user.id, to(email=email))
    await users.update(user.id, to(name="Grace"))
    document = await users.update(user.id, to(role="admin", email=email.upper()), email=email.upper())
    assert await users.find(email) == document
    found = User.from_document(document)
    assert (found.name, found.role, found.email) == ("Grace", "admin", email.upper())


async def test_change_that_commits_before_it_is_aborted_holds(process: Process) -> None:
    slow, quick = process(), process(patience_ms=-1)
    user, email = await user_in(slow, 3), email_in(slow, 4)
    is_judged = asyncio.Event()
    pipe_of(slow).stall = "update", is_judged.wait
    changing = asyncio.create_task(slow.update(user.id, to(email=email), email=email))
    while pipe_of(slow).stall is not None:
        await asyncio.sleep(0.001)

    async def commit() -> None:
        is_judged.set()
        await changing

    pipe_of(quick).stall = "abort", commit
    with pytest.raises(EmailTaken):
        await quick.create("Eve", email, "user")
    assert await quick.find(email) == changing.result()


async def test_writer_whose_change_was_aborted_does_not_commit(process: Process) -> None:
    """A stalled writer commits after another one took the email: the intent decides, no clock."""
    slow, quick = process(), process(patience_ms=-1)
    user, email = await user_in(slow, 3), email_in(slow, 4)
    winner: list[bytes] = []

    async def overtake() -> None:
        winner.append((await quick.create("Eve", email, "user"))[0])

    pipe_of(slow).stall = "update", overtake
    with pytest.raises(EmailTaken):
        await slow.update(user.id, to(email=email), email=email)
    assert await slow.find(email) == winner[0]
    assert await slow.get(user.id) == await slow.find(user.email) == user.document()


async def test_change_under_way_is_waited_for(process: Process) -> None:
    slow, other = process(), process()
    user, email, elsewhere = await user_in(slow, 3), email_in(slow, 4), email_in(slow, 5)

    async def in_vain() -> None:
        assert await other.find(email) is None
        for write in (
            other.create("Eve", email, "user"),
            other.update(user.id, to(email=elsewhere), email=elsewhere),
        ):
            with pytest.raises(StoreUnavailable, match="busy"):
                await write

    pipe_of(slow).stall = "update", in_vain
    document = await slow.update(user.id, to(email=email), email=email)
    assert await other.find(email) == document


@pytest.mark.parametrize("step", ["claim", "update", "settle"])
async def test_user_deleted_meanwhile_is_gone_and_the_email_free(process: Process, step: str) -> None:
    slow, other = process(), process()
    user, email = await user_in(slow, 3), email_in(slow, 4)
    pipe_of(slow).stall = step, lambda: other.delete(user.id)
    if step == "settle":
        await slow.update(user.id, to(email=email), email=email)
    else:
        with pytest.raises(UserNotFound):
            await slow.update(user.id, to(email=email), email=email)
    await other.create("Eve", email, "user")
    await other.create("Eve", user.email, "user")


async def test_email_that_a_deleted_user_was_about_to_take_is_free_at_once(process: Process) -> None:
    slow, other = process(), process()
    user, email = await user_in(slow, 3), email_in(slow, 4)

    async def delete() -> None:
        await other.delete(user.id)
        await other.create("Eve", email, "user")

    pipe_of(slow).stall = "update", delete
    with pytest.raises(UserNotFound):
        await slow.update(user.id, to(email=email), email=email)
    assert await other.find(email) is not None


async def test_email_of_a_far_user_with_a_broken_record_is_kept(process: Process) -> None:
    users = process()
    user, email = await user_in(users, 3), email_in(users, 4)
    await users.update(user.id, to(email=email))
    await users.store.pipe.execute("set", b"SET", users.store.layout.of(user.id).record(user.id), b"{bad")
    with pytest.raises(EmailTaken):
        await users.create("Eve", email, "user")


async def test_change_with_an_illegible_token_counts_as_abandoned(process: Process) -> None:
    users = process()
    user, email = await user_in(users, 3), email_in(users, 4)
    partition, claim = users.store.layout.of(user.id), users.store.layout.of_email(email).claim(email)
    await users.store.pipe.execute("set", b"SET", claim, f"{user.id} x")
    await users.store.pipe.execute("set", b"SET", partition.intent(user.id), "x")
    await users.create("Eve", email, "user")


@pytest.mark.parametrize("step", ["claim", "suspect", "judge"])
async def test_change_that_the_store_refused_may_be_repeated_at_once(process: Process, step: str) -> None:
    users, other = process(), process()
    user, email = await user_in(users, 3), email_in(users, 4)
    former = email_in(users, 5)
    await users.update(user.id, to(email=former), email=former)
    await users.store.pipe.execute("set", b"SET", users.store.layout.of_email(email).claim(email), f"{user.id} far")

    async def fail() -> None:
        raise Unavailable(Reason.LOADING)

    pipe_of(users).stall = step, fail
    with pytest.raises(StoreUnavailable, match="loading"):
        await users.update(user.id, to(email=email), email=email)
    await other.update(user.id, to(email=email), email=email)


@pytest.mark.parametrize("write", ["delete", "change"])
async def test_write_that_went_out_with_a_suspect_that_failed_may_have_been_made(process: Process, write: str) -> None:
    users = process()
    user, email = await user_in(users, 3), email_in(users, 4)
    await users.update(user.id, to(email=email), email=email)

    async def fail() -> None:
        await asyncio.sleep(0.1)
        raise Unavailable(Reason.OOM)

    pipe_of(users).stall = "suspect", fail
    with pytest.raises(StoreUnavailable) as caught:
        await (users.delete(user.id) if write == "delete" else users.update(user.id, to(email=user.email)))
    assert caught.value.uncertain
    assert await users.find(email) is None


async def test_refused_change_leaves_no_intent(process: Process) -> None:
    users = process()
    user, other = await user_in(users, 3), await user_in(users, 4)

    def refuse(user: User) -> User:
        raise VersionMismatch

    with pytest.raises(VersionMismatch):
        await users.update(user.id, refuse, email=email_in(users, 5))
    with pytest.raises(EmailTaken):
        await users.update(user.id, to(email=other.email), email=other.email)
    assert not [key for key in await leftovers(users) if b":intent:" in key]


@pytest.mark.parametrize(("made_with", "ours"), [(16, 64), (64, 16), (16, 1), (1, 16)])
async def test_another_number_of_partitions_is_refused_by_reads_and_writes(
    process: Process, server_url: str, made_with: int, ours: int, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = process(partitions=made_with), process(partitions=ours)
    user = User.from_document((await first.create("Ada", "ada@example.org", "user"))[0])
    cure = f"PARTITIONS is {ours}, but the store was made with {made_with}: set PARTITIONS={made_with}"
    for work in (second.get(user.id), second.find(user.email), second.page(5), second.delete(user.id), second.probe()):
        with pytest.raises(StoreUnavailable, match=cure):
            await work
    with pytest.raises(StoreUnavailable, match=cure):
        Bulk(Address.from_url(server_url), Layout(ours))
    assert cure in caplog.text
    assert await first.get(user.id) == user.document()


async def test_a_probe_that_finds_another_number_ends_reads_too(process: Process) -> None:
    old = process(partitions=16)
    user = await user_in(old, 3)
    await old.store.pipe.execute("flush", b"FLUSHALL")
    await process(partitions=64).store.open()
    with pytest.raises(WrongLayout):
        await old.probe()
    for read in (old.get(user.id), old.page(5), old.find(user.email)):
        with pytest.raises(StoreUnavailable, match="made with 64"):
            await read


async def test_two_processes_with_other_numbers_make_a_new_store_of_one_of_them(process: Process) -> None:
    users = [process(partitions=16), process(partitions=64)]
    outcomes = await asyncio.gather(*(each.store.open() for each in users), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(WrongLayout) == 1
    pipe = users[0].store.pipe
    keys = await pipe.execute("keys", b"KEYS", b"*:epoch")
    assert len({*await pipe.execute("epochs", b"MGET", *keys)}) == 1


async def test_write_whose_fate_is_unknown_is_not_repeated(process: Process) -> None:
    users = process()

    async def lose() -> None:
        raise Unavailable(Reason.TIMEOUT, uncertain=True)

    pipe_of(users).stall = "create", lose
    with pytest.raises(StoreUnavailable):
        await users.create("Ada", email_in(users, 3), "user")
    assert await users.store.count() == 0


async def test_store_that_was_emptied_takes_writes_again(process: Process) -> None:
    users = process()
    await user_in(users, 3)
    await users.store.pipe.execute("flush", b"FLUSHALL")
    user = await user_in(users, 3)
    assert await users.get(user.id) == user.document()
