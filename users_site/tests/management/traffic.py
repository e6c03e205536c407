"""Clients that write to a store through the API's own scripts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis, ResponseError

from packages.redis_pipe import Script
from tools.processes.store import Store
from users_site.models import User
from users_site.repository import scripts
from users_site.repository.change import version
from users_site.tests.management.conftest import a_user
from users_site.tests.repository.people import PARTITION


def call(redis: Redis, script: Script, key_list: list[str], *args: str | bytes) -> None:
    redis.eval(script.source, len(key_list) + 1, PARTITION.epoch, *key_list, "1", *args)


def create(redis: Redis, user: User) -> None:
    three = [PARTITION.record(user.id), PARTITION.index, PARTITION.claim(user.email)]
    call(redis, scripts.CREATE, three, user.id, user.document(), "", "")


def move(redis: Redis, user: User, changed: User) -> None:
    three = [PARTITION.record(user.id), PARTITION.claim(changed.email), PARTITION.claim(user.email)]
    call(redis, scripts.REPLACE, three, version(user.document()), changed.document(), user.id, "")


def delete(redis: Redis, user: User) -> None:
    four = [PARTITION.record(user.id), PARTITION.index, PARTITION.claim(user.email), PARTITION.intent(user.id)]
    call(redis, scripts.DELETE, four, version(user.document()), user.id)


@contextmanager
def writers(store: Store) -> Iterator[dict[str, User | None]]:
    """Clients that create, move and delete users until the end, or until writes are refused; the last acknowledged state of
    each, by id."""
    answered: dict[str, User | None] = {}
    stop = threading.Event()

    def write(name: str) -> None:
        with store.client() as redis:
            number = 0
            while not stop.is_set():
                number += 1
                user = a_user(email=f"{name}{number}@example.com")
                moved = a_user(id=user.id, email=f"{name}{number}@moved.example.com")
                try:
                    create(redis, user)
                    answered[user.id] = user
                    move(redis, user, moved)
                    answered[user.id] = moved
                    # The email that was left goes to another user: the order of the copies matters.
                    heir = a_user(email=user.email)
                    create(redis, heir)
                    answered[heir.id] = heir
                    if number % 3:
                        delete(redis, moved)
                        answered[user.id] = None
                except ResponseError:
                    return
                time.sleep(0.002)  # the command under test runs in this process too

    threads = [threading.Thread(target=write, args=(f"w{number}x",)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
