"""A store that is full, read-only, short of replicas or of memory: 503, reads continue, and nothing is half done."""

import pytest

from tools.processes.store import Store
from users_site.tests.api.client import Users, fresh_email, problem

# What makes the store refuse writes, and what makes it take them again.
STATES = {
    "full": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "oom"),
    "short of replicas": ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "noreplicas"),
    "read-only": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "readonly"),
}


@pytest.mark.parametrize(("begin", "end", "reason"), STATES.values(), ids=STATES)
def test_writes_are_503_while_reads_continue_and_may_be_repeated_later(
    alone: Users, own_store: Store, begin: str, end: str, reason: str
) -> None:
    user, body = alone.created(), {"name": "Eve", "email": fresh_email()}
    alone.list(email=user["email"])
    with own_store.client() as client:
        client.execute_command(*begin.split(" "))
        try:
            refused = [
                alone.post({"name": "Eve", "email": fresh_email()}),
                alone.post(body, idempotency_key="a-key"),
                alone.put(user["id"], {"name": "Grace", "email": user["email"]}),
                alone.patch(user["id"], {"email": fresh_email()}),
            ]
            for answer in refused:
                assert reason in problem(answer, 503, "store-unavailable")["detail"]
            assert alone.get(user["id"]).json() == user
            assert alone.list().json()["results"] == [user]
            assert alone.list(email=user["email"]).json()["results"] == [user]
            assert client.dbsize() == 3  # record, claim and index of the one user: no trace of the others
        finally:
            client.execute_command(*end.split(" "))
    repeated = alone.post(body, idempotency_key="a-key")
    assert (repeated.status_code, "Idempotency-Replayed" in repeated.headers) == (201, False)


def test_full_store_still_deletes_which_makes_room(alone: Users, own_store: Store) -> None:
    user = alone.created()
    with own_store.client() as client:
        client.config_set("maxmemory", "1")
        try:
            assert alone.delete(user["id"]).status_code == 204
        finally:
            client.config_set("maxmemory", "0")
        assert client.dbsize() == 0


def test_key_of_another_type_in_the_store_is_a_500_without_details(alone: Users, own_store: Store) -> None:
    """Only a bug, or somebody else in our database, explains it."""
    user = alone.created()
    with own_store.client() as client:
        client.delete("{users:0}:ids")
        client.set("{users:0}:ids", "not an index")
        answer = alone.list()
        client.flushall()
    body = problem(answer, 500, "internal-error", "/users")
    assert "users:0" not in str(body)
    problem(alone.get(user["id"]), 404, "user-not-found")
