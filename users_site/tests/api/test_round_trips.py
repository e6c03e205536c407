"""The round trips of each request, counted on the real server; no change takes more than one write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
import redis
import requests

from tools.processes.store import Store
from users_site.tests.api.client import UNKNOWN, Users


@pytest.fixture
def warm(alone: Users) -> Users:
    """A service whose scripts are loaded: the first call of each costs one round trip more, once."""
    user = alone.created()
    alone.list()
    alone.list(email=user["email"])
    alone.patch(user["id"], {"name": "Grace"})
    alone.delete(user["id"])
    return alone


@contextmanager
def watch(store: Store) -> Iterator[tuple[list[str], list[str]]]:
    """The commands that the service sends during the block, one round trip each at most, and those inside of scripts."""
    commands, steps, marker = list[str](), list[str](), uuid4().hex
    with store.client() as client, redis.Redis.from_url(store.url, socket_timeout=10).monitor() as monitor:
        service = {entry["addr"] for entry in client.client_list() if entry["name"] == "user-service"}
        assert service, "the service has no connection yet: ask it for something first"
        yield commands, steps
        client.echo(marker)
        while marker not in (command := monitor.next_command())["command"]:
            name = command["command"].split(" ")[0].upper()
            if command["client_type"] == "lua":
                steps.append(name)
            elif f"{command['client_address']}:{command['client_port']}" in service:
                commands.append(name)


NEW, OTHER = {"name": "Ada", "email": "new@example.org"}, {"name": "Grace", "email": "other@example.org"}
PAGE = ["ZRANGE", "ZCARD", "MGET"]
CASES: dict[str, tuple[Callable[[Users, dict], requests.Response], int, list[str]]] = {
    "read": (lambda users, user: users.get(user["id"]), 200, ["GET"]),
    "head": (lambda users, user: users.request("HEAD", f"/{user['id']}"), 200, ["GET"]),
    "unchanged": (lambda users, user: users.get(user["id"], if_none_match="*"), 304, ["GET"]),
    "unknown": (lambda users, user: users.get(UNKNOWN), 404, ["GET"]),
    "no id": (lambda users, user: users.delete("%00"), 404, []),
    "refused body": (lambda users, user: users.post({"name": ""}), 400, []),
    "refused patch": (lambda users, user: users.request("PATCH", f"/{UNKNOWN}", data=b"{"), 415, []),
    "refused query": (lambda users, user: users.list(cursor="x"), 400, []),
    "find": (lambda users, user: users.list(email=user["email"].upper()), 200, ["EVALSHA_RO"]),
    "find nobody": (lambda users, user: users.list(email=NEW["email"]), 200, ["EVALSHA_RO"]),
    "page": (lambda users, user: users.list(limit=100), 200, PAGE),
    "create": (lambda users, user: users.post(NEW), 201, ["EVALSHA"]),
    "create with a key": (lambda users, user: users.post(NEW, idempotency_key="k"), 201, ["EVALSHA"]),
    "conflict": (lambda users, user: users.post({**NEW, "email": user["email"]}), 409, ["EVALSHA"]),
    "replace": (lambda users, user: users.put(user["id"], OTHER), 200, ["GET", "EVALSHA"]),
    "move to another email": (lambda users, user: users.patch(user["id"], NEW), 200, ["GET", "EVALSHA"]),
    "delete": (lambda users, user: users.delete(user["id"]), 204, ["GET", "EVALSHA"]),
}


@pytest.mark.parametrize(("ask", "status", "commands"), CASES.values(), ids=CASES)
def test_a_request_costs(
    warm: Users, own_store: Store, ask: Callable[[Users, dict], requests.Response], status: int, commands: list[str]
) -> None:
    """A change is one write, so that a crash leaves no half user."""
    user = warm.created()
    with watch(own_store) as (seen, steps):
        assert ask(warm, user).status_code == status
    assert seen == commands
    if not any(name.startswith("EVALSHA") for name in commands):
        assert steps == []


def test_following_page_costs_two_round_trips(warm: Users, own_store: Store) -> None:
    for _ in range(3):
        warm.created()
    following = warm.list(limit=1).json()["next"]
    with watch(own_store) as (seen, _):
        assert requests.get(following, timeout=10).status_code == 200
    assert seen == ["ZRANGE", *PAGE]


def test_scripts_are_sent_again_after_a_flush(warm: Users, own_store: Store) -> None:
    with own_store.client() as client:
        client.script_flush()
    with watch(own_store) as (seen, _):
        user = warm.created()
        assert warm.list().json()["results"] == [user]
    assert seen == ["EVALSHA", "EVAL", "ZRANGE", "ZCARD", "MGET"]
