"""All writes over 16 partitions against a dictionary, with crashes before any of their commands.

A process that crashes sends nothing more: its write is found made or not made, never half. STEPS=20000 is a long run: give
--timeout 0 too.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from packages.redis_pipe import Address, Options, Pipe
from tools.processes.valkey import valkey_url
from users_contract.identity import identity
from users_site.models import User
from users_site.operations.bulk import Bulk
from users_site.operations.verify import Verification
from users_site.repository.entries import Idempotency
from users_site.repository.errors import EmailTaken, IdempotencyKeyReused, UserNotFound
from users_site.repository.keys import Layout
from users_site.repository.store import Store
from users_site.repository.users import UserRepository
from users_site.tests.repository.people import UNKNOWN, leftovers, swept, to, walk

logger = logging.getLogger(__name__)

PARTITIONS = 16
STEPS = int(os.environ.get("STEPS", "500"))
STEPS_OF_AN_EXAMPLE = 50
EMAILS = st.integers(0, 11).map(lambda number: f"user-{number}@example.org")
NAMES = st.sampled_from(["Ada", "Grace"])
KEYS = st.integers(0, 3).map(lambda number: f"key-{number}")
USERS = st.integers(0, 11)
CRASHES = st.one_of(st.none(), st.integers(0, 6))
"""How many commands the process sends before it is gone."""
UNSURE, TAKEN = b"unsure", b"taken"


class Crash(BaseException):
    """The process is gone."""


class CrashingPipe(Pipe):
    """Sends `left` more commands."""

    left: int | None = None

    def issue(self, *args: Any) -> Any:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash
        return super().issue(*args)


class UsersMachine(RuleBasedStateMachine):
    """`model`: the users by id; `answers`: of each Idempotency-Key the requests that it may belong to, and its first answer."""

    url = ""
    steps = crashes = 0

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.pipe = CrashingPipe(Address.from_url(self.url), Options(20.0, 20.0))
        self.users = UserRepository(Store(self.pipe, layout=Layout(PARTITIONS)), patience_ms=-1)
        self.model: dict[str, User] = {}
        self.dead: set[str] = set()
        self.answers: dict[str, tuple[set[tuple[str, str]], bytes]] = {}
        self.wait(self.empty())

    async def empty(self) -> None:
        await self.pipe.execute("flush", b"FLUSHALL")
        await self.users.store.open()

    def wait(self, work: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await work

        return self.runner.run(awaited())

    def attempt(self, work: Awaitable[Any], crash: int | None) -> Any:
        """The result, the error, or Crash."""
        type(self).steps += 1
        self.pipe.left = crash
        try:
            return self.wait(work)
        except Crash as gone:
            type(self).crashes += 1
            return gone
        except (EmailTaken, IdempotencyKeyReused, UserNotFound) as error:
            return error
        finally:
            self.pipe.left = None

    def holder(self, email: str) -> str | None:
        return next((i for i, user in self.model.items() if identity(user.email) == identity(email)), None)

    def chosen(self, number: int) -> str:
        return sorted(self.model)[number % len(self.model)] if self.model else UNKNOWN

    def adopt(self, email: str) -> None:
        """A user whom a crashed process made after all."""
        document = self.wait(self.users.find(email))
        if document is not None and self.holder(email) is None:
            user = User.from_document(document)
            assert user.id not in self.dead
            self.model[user.id] = user

    @rule(name=NAMES, email=EMAILS, crash=CRASHES)
    def create(self, name: str, email: str, crash: int | None) -> None:
        outcome = self.attempt(self.users.create(name, email, "user"), crash)
        if isinstance(outcome, tuple):
            assert self.holder(email) is None
            user = User.from_document(outcome[0])
            self.model[user.id] = user
        elif isinstance(outcome, EmailTaken):
            assert self.holder(email) is not None
        else:
            self.adopt(email)

    @rule(key=KEYS, name=NAMES, email=EMAILS, crash=CRASHES)
    def create_with_a_key(self, key: str, name: str, email: str, crash: int | None) -> None:
        request = name, email
        requests, answer = self.answers.get(key, ({request}, UNSURE))
        content = Idempotency(key, hashlib.sha256(f"{request}".encode()).digest())
        outcome = self.attempt(self.users.create(name, email, "user", content), crash)
        match outcome:
            case IdempotencyKeyReused():
                assert requests - {request}
                self.answers[key] = requests - {request}, answer
                return
            case Crash():
                self.adopt(email)
                if answer == UNSURE:
                    self.answers[key] = requests | {request}, UNSURE
                return
            case EmailTaken():
                assert answer in {UNSURE, TAKEN}
                self.answers[key] = {request}, TAKEN
            case (document, replayed):
                assert answer == UNSURE or (document, replayed) == (answer, True)
                self.answers[key] = {request}, document
                user = User.from_document(document)
                if user.id not in self.model and user.id not in self.dead:
                    assert self.holder(email) is None
                    self.model[user.id] = user
        assert answer == UNSURE or requests == {request}

    @rule(number=USERS, name=NAMES, email=st.one_of(st.none(), EMAILS), hinted=st.booleans(), crash=CRASHES)
    def change(self, number: int, name: str, email: str | None, hinted: bool, crash: int | None) -> None:
        user_id = self.chosen(number)
        old = self.model.get(user_id)
        fields = {"name": name} | ({"email": email} if email else {})
        hint = (email or "") if hinted else ""
        outcome = self.attempt(self.users.update(user_id, to(**fields), email=hint), crash)
        match outcome:
            case UserNotFound():
                assert old is None
            case EmailTaken():
                assert email is not None
                assert self.holder(email) not in {None, user_id}
            case Crash():
                if old is not None:
                    found = User.from_document(self.wait(self.users.get(user_id)))
                    made = {"name": found.name, "email": found.email}
                    assert made in ({"name": old.name, "email": old.email}, {"email": old.email} | fields)
                    self.model[user_id] = found
            case document:
                assert old is not None
                assert email is None or self.holder(email) in {None, user_id}
                self.model[user_id] = User.from_document(document)

    @rule(number=USERS, crash=CRASHES)
    def delete(self, number: int, crash: int | None) -> None:
        user_id = self.chosen(number)
        outcome = self.attempt(self.users.delete(user_id), crash)
        is_gone = outcome is None
        if isinstance(outcome, Crash):
            try:
                self.wait(self.users.get(user_id))
            except UserNotFound:
                is_gone = True
        elif outcome is not None:
            assert user_id not in self.model
        if is_gone and user_id in self.model:
            del self.model[user_id]
            self.dead.add(user_id)

    @rule(email=EMAILS)
    def find(self, email: str) -> None:
        holder = self.holder(email)
        assert self.wait(self.users.find(email.upper())) == (self.model[holder].document() if holder else None)

    @rule(limit=st.integers(1, 13))
    def pages(self, limit: int) -> None:
        assert self.wait(walk(self.users, limit, "older")) == sorted(self.model, reverse=True)

    @rule()
    def sweep(self) -> None:
        self.wait(swept(self.users))
        kinds = [key.split(b":")[1] for key in self.wait(leftovers(self.users))]
        assert kinds.count(b"user") == kinds.count(b"email") == len(self.model)
        bulk = Bulk(Address.from_url(self.url), Layout(PARTITIONS))
        assert list(Verification(bulk, repair=False).run()) == []
        bulk.close()

    @invariant()
    def every_user_is_as_in_the_model(self) -> None:
        if self.model or self.dead:
            assert self.wait(self.users.store.count()) == len(self.model)
            for user_id, user in self.model.items():
                assert self.wait(self.users.get(user_id)) == user.document()
                assert self.wait(self.users.find(user.email)) == user.document()

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.sweep()
            self.wait(self.users.close())
            self.runner.close()


def test_no_write_is_ever_found_half_made() -> None:
    with valkey_url() as UsersMachine.url:
        run_state_machine_as_test(
            UsersMachine,
            settings=settings(
                max_examples=max(1, STEPS // STEPS_OF_AN_EXAMPLE),
                stateful_step_count=STEPS_OF_AN_EXAMPLE,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    logger.info("%s writes, %s crashes", UsersMachine.steps, UsersMachine.crashes)
    assert UsersMachine.crashes
