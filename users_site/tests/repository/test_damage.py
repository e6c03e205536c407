"""Damaged records and keys of another type: never served, never a half write."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from users_site.models import User
from users_site.repository import pages
from users_site.repository.broken import (
    MAX_DOCUMENT_BYTES,
    are_whole,
    is_whole,
    report_broken,
    report_missing,
    report_stale_claim,
    stand_in,
)
from users_site.repository.errors import EmailTaken, RecordBroken, StoreError, StoreUnavailable, UserNotFound
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import UNKNOWN, created, fresh_email, ids, leftovers, partition, to, walk

BROKEN = {
    "cut": lambda user: user.document()[:-1],
    "bad": lambda user: b"{bad",
    "empty": lambda user: b"",
    "another id": lambda user: replace(user, id="01900000-0000-7000-8000-000000000001").document(),
    "too long": lambda user: user.document()[:-1] + b" " * 9000 + b"}",
}


def test_the_checks_of_one_and_of_many_documents_agree() -> None:
    user = User(UNKNOWN, "Ada", "ada@example.org", "user", "", "")
    whole, user_id = user.document(), user.id.encode()
    longest = whole[:-1].ljust(MAX_DOCUMENT_BYTES - 1) + b"}"
    broken = [longest[:-1] + b" }", *(make(user) for make in BROKEN.values())]
    for document, expected in ((whole, True), (longest, True), *((document, False) for document in broken)):
        assert is_whole(document, user_id) == are_whole([whole, document], [user_id] * 2) == expected
    assert not are_whole([whole, None], [user_id] * 2)


def test_what_is_legible_of_a_broken_record_stands_in_for_it() -> None:
    fields = b'"name":"Ada","email":"ada@example.org","role":"admin","created_at":"then"'
    assert stand_in(b"{%b}" % fields, UNKNOWN) == User(UNKNOWN, "Ada", "ada@example.org", "admin", "then", "")
    since = "2024-06-10T02:35:18.400000Z"
    assert stand_in(b"{bad", UNKNOWN) == User(UNKNOWN, "", "", "", since, "")
    assert (
        stand_in(b"[]", UNKNOWN)
        == stand_in(b'{"name":1,"created_at":""}', UNKNOWN)
        == User(UNKNOWN, "", "", "", since, "")
    )
    created_at = datetime.fromisoformat(stand_in(b"", "00000000-0000-4000-8000-000000000000").created_at)
    assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=1), "the id of another version holds no time"


def test_damage_is_reported_with_its_cure(caplog: pytest.LogCaptureFixture) -> None:
    report_broken("a")
    report_missing("b")
    report_stale_claim("c")
    assert caplog.messages == [
        "the record of user a is broken: run verify_users, or replace or delete it through the API",
        "the index names user b, whose record is missing: run verify_users",
        "a claim names user c, whose email is another: run verify_users --repair",
    ]


def counted(fault: str) -> float:
    return REGISTRY.get_sample_value("user_records_damaged_total", {"fault": fault}) or 0.0


async def damaged(users: UserRepository, document: bytes | None = None) -> User:
    user = await created(users)
    await users.store.pipe.execute(
        "set", b"SET", partition(users, user).record(user.id), user.document()[:-1] if document is None else document
    )
    return user


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_broken_record_is_an_error_line_and_a_count(
    users: UserRepository, caplog: pytest.LogCaptureFixture, broken
) -> None:
    user, before = await created(users), counted("broken")
    await users.store.pipe.execute("set", b"SET", partition(users, user).record(user.id), broken(user))
    with pytest.raises(RecordBroken):
        await users.get(user.id)
    with pytest.raises(RecordBroken):
        await users.find(user.email)
    with pytest.raises(RecordBroken):
        await users.update(user.id, to(name="Grace"))
    lines = [record for record in caplog.records if user.id in record.getMessage()]
    assert [record.levelno for record in lines] == [logging.ERROR] * 3
    assert counted("broken") == before + 3


async def test_record_of_a_claim_that_is_no_text_is_broken(users: UserRepository) -> None:
    email = fresh_email()
    home = partition(users, email)
    await users.store.pipe.execute("set", b"SET", home.claim(email), b"\xff")
    await users.store.pipe.execute("set", b"SET", home.records.encode() + b"\xff", b"{}")
    with pytest.raises(RecordBroken):
        await users.find(email)


async def test_page_serves_the_others_and_is_filled_up(users: UserRepository, caplog: pytest.LogCaptureFixture) -> None:
    oldest, broken, newest = await created(users), await damaged(users), await created(users)
    assert ids(await users.page(2)) == [newest.id, oldest.id]
    assert broken.id in caplog.text
    assert await walk(users, 1, "older") == [newest.id, oldest.id]


@pytest.mark.parametrize("side", pages.Side)
async def test_index_entry_without_a_record_is_logged_counted_and_replaced(
    users: UserRepository, caplog: pytest.LogCaptureFixture, side: pages.Side
) -> None:
    made, before = [await created(users) for _ in range(5)], counted("missing")
    await users.store.pipe.execute("del", b"DEL", partition(users, made[2]).record(made[2].id))
    edge = "f" * 8 if side is pages.Side.OLDER else "0" * 8
    page = await users.page(4, pages.Position(side, f"{edge}-0000-7000-8000-000000000000"))
    assert ids(page) == [user.id for user in made[::-1] if user is not made[2]]
    assert (page.older, page.newer, page.count) == (None, None, 5)
    assert made[2].id in caplog.text
    assert counted("missing") == before + 1


async def test_index_entries_that_are_no_ids_stop_no_walk(users: UserRepository) -> None:
    made = [await created(users) for _ in range(4)]
    strays: list[str | bytes] = [f"{made[0].id}x", f"{made[1].id}x", "0", b"\xff"]
    for user, stray in zip(made, strays, strict=True):
        await users.store.pipe.execute("zadd", b"ZADD", partition(users, user).index, 0, stray)
    ids_of = [user.id for user in made]
    for limit in (1, 2):
        assert await walk(users, limit, "older") == ids_of[::-1]
        assert await walk(users, limit, "newer", pages.Position(pages.Side.NEWER, ids_of[0], inclusive=True)) == ids_of
    after = await users.page(1, pages.Position(pages.Side.OLDER, ids_of[2]))
    assert (ids(after), after.newer) == ([ids_of[1]], pages.Position(pages.Side.NEWER, ids_of[1]))
    for number in range(6):  # more than a page skips
        await users.store.pipe.execute("zadd", b"ZADD", partition(users, made[2]).index, 0, f"{made[2].id}{number}")
    assert (await users.page(2)).older == pages.Position(pages.Side.OLDER, made[3].id)


async def test_page_of_many_missing_records_stays_bounded_and_continues(users: UserRepository) -> None:
    made = [await created(users) for _ in range(30)][::-1]
    for user in made[1:-1]:
        await users.store.pipe.execute("del", b"DEL", partition(users, user).record(user.id))
    page = await users.page(2)
    assert ids(page) == [made[0].id]
    assert page.older is not None
    assert await walk(users, 2, "older") == [made[0].id, made[-1].id]


@pytest.mark.parametrize("legible", [True, False])
async def test_broken_record_can_be_replaced(users: UserRepository, legible: bool) -> None:
    user = await created(users)
    bad = user.document().replace(b'"user"', b"7") if legible else b"{bad"
    await users.store.pipe.execute("set", b"SET", partition(users, user).record(user.id), bad)
    email = fresh_email()
    document = await users.update(user.id, to(name="Grace", email=email, role="admin"), replaces=True)
    now = User.from_document(document)
    assert (now.id, now.name, now.email, now.role) == (user.id, "Grace", email, "admin")
    # Else from the id, whose time is ahead of the clock after many ids.
    at = (
        datetime.fromisoformat(user.created_at)
        if legible
        else datetime.fromtimestamp((UUID(user.id).int >> 80) / 1000, UTC)
    )
    assert abs(datetime.fromisoformat(now.created_at) - at) < timedelta(milliseconds=2)
    assert await users.find(email) == await users.get(user.id) == document
    if legible:
        assert await users.store.pipe.execute("get", b"GET", partition(users, user.email).claim(user.email)) is None


async def test_broken_record_can_be_deleted(users: UserRepository) -> None:
    user = await damaged(users, b'{"email":7}')
    await users.delete(user.id)
    with pytest.raises(UserNotFound):
        await users.get(user.id)
    assert await users.store.count() == 0


async def test_stale_claim_finds_nobody(users: UserRepository, caplog: pytest.LogCaptureFixture) -> None:
    user, before = await created(users), counted("claim")
    former = next(email for email in iter(fresh_email, "") if partition(users, email) is partition(users, user))
    await users.store.pipe.execute("set", b"SET", partition(users, former).claim(former), user.id)
    assert await users.find(former) is None
    assert await users.find(user.email) == user.document()
    assert user.id in caplog.text
    assert former not in caplog.text
    assert counted("claim") == before + 1


@pytest.mark.parametrize("claim", [b"junk", b"junk far", b"\xff far", b"z" * 36 + b" far", b"\xff" * 36 + b" 1-2"])
async def test_claim_that_names_no_id_finds_nobody_and_holds_the_email(users: UserRepository, claim: bytes) -> None:
    email = fresh_email()
    await users.store.pipe.execute("set", b"SET", partition(users, email).claim(email), claim)
    assert await users.find(email) is None
    with pytest.raises(EmailTaken):
        await users.create("Ada", email, "user")


async def test_claim_of_another_user_outlives_a_change_of_email_and_a_delete(users: UserRepository) -> None:
    other = await created(users)
    for write in (lambda user: users.update(user.id, to(email=fresh_email())), lambda user: users.delete(user.id)):
        user = await created(users)
        claim = partition(users, user.email).claim(user.email)
        await users.store.pipe.execute("set", b"SET", claim, other.id)
        await write(user)
        assert await users.store.pipe.execute("get", b"GET", claim) == other.id.encode()


async def test_write_on_an_index_of_another_type_leaves_nothing(users: UserRepository) -> None:
    email = fresh_email()
    index = partition(users, email).index
    await users.store.pipe.execute("set", b"SET", index, "x")
    with pytest.raises(StoreError) as caught:
        await users.create("Ada", email, "user")
    assert caught.value.code == "WRONGTYPE"
    assert await leftovers(users) == [index.encode()]


async def test_delete_on_an_index_of_another_type_deletes_nothing(users: UserRepository) -> None:
    user = await created(users)
    await users.store.pipe.execute("set", b"SET", partition(users, user).index, "x")
    with pytest.raises(StoreError):
        await users.delete(user.id)
    assert await users.find(user.email) == await users.get(user.id) == user.document()


async def test_writes_refuse_a_store_of_another_layout(users: UserRepository) -> None:
    user = await created(users)
    partitions, epoch = users.store.layout.partitions, users.store.layout.epoch
    for each in partitions:
        await users.store.pipe.execute("set", b"SET", each.epoch, "2")
    writes = (
        users.create("Eve", fresh_email(), "user"),
        users.update(user.id, to(name="Eve")),
        users.delete(user.id),
    )
    for write in writes:
        with pytest.raises(StoreUnavailable, match=r"epoch|PARTITIONS"):
            await write
    for each in partitions:
        await users.store.pipe.execute("set", b"SET", each.epoch, epoch)
    assert await users.get(user.id) == user.document()
    await users.delete(user.id)
