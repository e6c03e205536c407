"""The round trips of each request, counted on the real server; no change takes more than one write."""

from collections.abc import Callable
from uuid import uuid4

import pytest
import requests

from tools.processes.store import Store
from users_site.tests.api.client import UNKNOWN, Users, fresh_email
from users_site.tests.api.watching import watch


@pytest.fixture
def warm(alone: Users) -> Users:
    """A service whose scripts are loaded: the first call of each costs one round trip more, once."""
    user = alone.created()
    alone.list()
    alone.list(email=user["email"])
    alone.patch(user["id"], {"name": "Grace"})
    alone.delete(user["id"])
    return alone


def test_reading_a_user_costs_one_get(warm: Users, own_store: Store) -> None:
    user_id = warm.created()["id"]
    with watch(own_store) as seen:
        assert warm.get(user_id).status_code == 200
    assert (seen.commands, seen.steps) == (["GET"], [])


def test_head_304_and_404_cost_one_get(warm: Users, own_store: Store) -> None:
    user_id = warm.created()["id"]
    tag = warm.get(user_id).headers["ETag"]
    with watch(own_store) as seen:
        assert warm.get(user_id, if_none_match=tag).status_code == 304
        assert warm.request("HEAD", f"/{user_id}").status_code == 200
        assert warm.get(UNKNOWN).status_code == 404
    assert seen.commands == ["GET"] * 3


def test_id_that_is_none_costs_nothing(warm: Users, own_store: Store) -> None:
    with watch(own_store) as seen:
        assert warm.get("x").status_code == 404
        assert warm.delete("%00").status_code == 404
    assert seen.commands == []


def test_refused_body_and_query_cost_nothing(warm: Users, own_store: Store) -> None:
    with watch(own_store) as seen:
        assert warm.post({"name": ""}).status_code == 400
        assert warm.list(limit=0).status_code == 400
        assert warm.list(cursor="x").status_code == 400
        assert warm.request("PATCH", f"/{UNKNOWN}", data=b"{").status_code == 415
    assert seen.commands == []


def test_finding_by_email_costs_one_command(warm: Users, own_store: Store) -> None:
    user = warm.created()
    with watch(own_store) as seen:
        assert warm.list(email=user["email"].upper()).json()["count"] == 1
        assert warm.list(email=fresh_email()).json()["count"] == 0
    assert seen.commands == ["EVALSHA_RO"] * 2


@pytest.mark.parametrize("limit", [1, 20, 100])
def test_page_costs_two_round_trips_of_plain_reads(warm: Users, own_store: Store, limit: int) -> None:
    for _ in range(3):
        warm.created()
    following = warm.list(limit=1).json()["next"]
    with watch(own_store) as seen:
        warm.list(limit=limit)
        assert requests.get(following, timeout=10).status_code == 200
    assert seen.commands == ["ZRANGE", "ZCARD", "MGET", "ZRANGE", "ZRANGE", "ZCARD", "MGET"]


def test_creating_costs_one_command(warm: Users, own_store: Store) -> None:
    with watch(own_store) as seen:
        email = warm.created()["email"]
        warm.post({"name": "Ada", "email": fresh_email()}, idempotency_key=uuid4().hex)
        assert warm.post({"name": "Eve", "email": email}).status_code == 409
    assert seen.commands == ["EVALSHA"] * 3


CHANGES: dict[str, Callable[[Users, dict], requests.Response]] = {
    "create": lambda users, user: users.post({"name": "Ada", "email": fresh_email()}, idempotency_key=uuid4().hex),
    "replace": lambda users, user: users.put(user["id"], {"name": "Grace", "email": user["email"]}),
    "move to another email": lambda users, user: users.patch(user["id"], {"email": fresh_email()}),
    "delete": lambda users, user: users.delete(user["id"]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_is_one_write_so_that_a_crash_leaves_no_half_user(
    warm: Users, own_store: Store, change: Callable[[Users, dict], requests.Response]
) -> None:
    user = warm.created()
    with watch(own_store) as seen:
        assert change(warm, user).ok
    assert seen.writes == ["EVALSHA"]
    assert len(seen.commands) <= 2  # the read that the change was made from, and the write


def test_scripts_are_sent_again_after_a_flush(warm: Users, own_store: Store) -> None:
    with own_store.client() as client:
        client.script_flush()
    with watch(own_store) as seen:
        user = warm.created()
        assert warm.list().json()["results"] == [user]
    assert seen.commands == ["EVALSHA", "EVAL", "ZRANGE", "ZCARD", "MGET"]
