"""The API over 16 partitions: the contract is the same, but that a request with an Idempotency-Key may be in progress."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from common.observability.notices import Notices
from tests.log_lines import waited_for
from tests.serving import serving
from tools.processes.store import Store
from users_site.repository import sweeping
from users_site.repository.keys import Layout
from users_site.tests.api.client import Users, fresh_email, problem

LAYOUT = Layout(16)


@pytest.fixture(scope="module")
def users(own_store: Store) -> Iterator[Users]:
    with own_store.client() as client:
        client.flushall()
    with serving("users_site", REDIS_URL=own_store.url, PARTITIONS="16") as running:
        first = Users(running.url)
        first.created()  # gives the store its number
        yield first
    with own_store.client() as client:
        client.flushall()


def in_another_partition(email: str) -> str:
    return next(other for other in iter(fresh_email, "") if LAYOUT.of_email(other) is not LAYOUT.of_email(email))


def test_user_is_created_moved_listed_and_deleted(users: Users) -> None:
    user = users.created()
    former = user["email"]
    changed = users.patch(user["id"], {"email": in_another_partition(former)})
    assert changed.status_code == 200
    assert users.get(user["id"]).headers["ETag"] == changed.headers["ETag"]
    assert users.list(email=changed.json()["email"].upper()).json()["results"] == [changed.json()]
    assert users.list(email=former).json()["count"] == 0
    problem(users.post({"name": "Eve", "email": changed.json()["email"]}), 409, "email-taken")
    body = {"name": "Ada", "email": former}
    problem(users.put(user["id"], body, if_match='"x"'), 412, "precondition-failed")
    assert users.put(user["id"], body).json()["email"] == former
    assert users.delete(user["id"]).status_code == 204
    problem(users.get(user["id"]), 404, "user-not-found")
    assert users.post(body).status_code == 201


def test_request_in_progress_is_409_with_retry_after(users: Users, own_store: Store) -> None:
    """Another process has reserved the key; two seconds later it counts as gone (repository/test_partitions.py)."""
    body = {"name": "Ada", "email": fresh_email()}
    partition = LAYOUT.of_email(body["email"])
    key = next(key for key in iter(lambda: uuid4().hex, "") if LAYOUT.of_key(key, "") is not partition)
    first = users.post(body, idempotency_key=key)
    assert first.status_code == 201
    users.delete(first.json()["id"])
    with own_store.client() as client:
        entry = LAYOUT.of_key(key, "").idempotency(key)
        made_at = (datetime.now(UTC) - timedelta(seconds=3)).isoformat(timespec="microseconds")[:-6] + "Z"
        fingerprint: bytes = client.get(entry)[:32]
        client.set(entry, fingerprint + f"?{first.json()['id']} {made_at}".encode(), ex=1000)
        client.delete(partition.made(first.json()["id"]))
    answer = users.post(body, idempotency_key=key)
    problem(answer, 409, "request-in-progress")
    assert answer.headers["Retry-After"] == "2"
    problem(users.post(body | {"name": "Eve"}, idempotency_key=key), 422, "idempotency-key-reused")


def test_stale_claims_are_swept_although_one_partition_cannot_be(
    own_store: Store, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(sweeping, "_notices", Notices(sweeping.logger))  # another test may have warned
    (broken, swept), suspect = LAYOUT.partitions[3:5], "ada@example.org"
    with own_store.client() as client:
        client.set(broken.suspects, "no queue")
        client.zadd(swept.suspects, {suspect: 1})
    with serving("users_site", REDIS_URL=own_store.url, PARTITIONS="16") as running:
        [line] = waited_for(running, lambda line: line["message"] == "claims were not swept")
        own_store.wait_for(lambda client: client.zscore(swept.suspects, suspect) is None)  # other tests queue more
    with own_store.client() as client:
        client.delete(broken.suspects)
    assert (line["level"], line["partition"]) == ("warning", str(broken))
    assert line["reason"] == "Redis refused 'suspects' with WRONGTYPE"
