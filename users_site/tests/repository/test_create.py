"""Creating, reading and finding."""

import asyncio

import orjson
import pytest

from users_site.models import User
from users_site.repository.errors import EmailTaken
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import created, fresh_email


async def test_created_user_is_read_byte_by_byte_as_it_was_answered(users: UserRepository) -> None:
    document, replayed = await users.create("Ada 😀", fresh_email(), "admin")
    assert not replayed
    user = User.from_document(document)
    assert await users.get(user.id) == document
    assert list(orjson.loads(document)) == ["id", "name", "email", "role", "created_at", "updated_at"]
    assert document.startswith(b'{"id":"' + user.id.encode())


async def test_taken_email_raises_in_any_case_and_leaves_nothing(users: UserRepository) -> None:
    user = await created(users, "Ada@Example.org")
    for spelling in ("Ada@Example.org", "ada@example.org", "ADA@EXAMPLE.ORG"):
        with pytest.raises(EmailTaken) as raised:
            await users.create("Eve", spelling, "user")
        assert not raised.value.replayed
    assert await users.store.count() == 1
    assert await users.find("ADA@example.org") == await users.get(user.id)


async def test_one_of_32_creations_at_once_gets_the_email(users: UserRepository) -> None:
    creations = (users.create(f"N{number}", "one@example.org", "user") for number in range(32))
    outcomes = await asyncio.gather(*creations, return_exceptions=True)
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 31
    assert await users.store.count() == 1


async def test_find_answers_the_user_or_none(users: UserRepository) -> None:
    user = await created(users, "Grace@example.org")
    assert await users.find("gRACE@EXAMPLE.ORG") == user.document()
    assert await users.find("nobody@example.org") is None


async def test_emails_that_look_like_keys_are_emails_only(users: UserRepository) -> None:
    emails = ["{users:0}:ids@example.org", "a}b{c@example.org", "*@example.org", "é@example.org", "a\u0130@example.org"]
    for email in emails:
        user = await created(users, email)
        assert await users.find(email) == user.document()
    assert await users.store.count() == len(emails)
