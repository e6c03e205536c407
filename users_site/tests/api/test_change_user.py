"""PUT, PATCH and DELETE /users/{id}; a damaged record, and the way out."""

import pytest

from tools.processes.store import Store
from users_site.tests.api.client import JSON, UNKNOWN, Users, faulty_fields, fresh_email, problem
from users_site.tests.repository.people import PARTITION

MERGE = {"Content-Type": "application/merge-patch+json"}


def test_put_replaces_every_field(users: Users) -> None:
    user, email = users.created(role="admin"), fresh_email()
    answer = users.put(user["id"], {"name": "Grace", "email": email})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["name"], changed["email"], changed["role"]) == ("Grace", email, "user")
    assert (changed["id"], changed["created_at"]) == (user["id"], user["created_at"])
    assert changed["updated_at"] > user["updated_at"]
    read = users.get(user["id"])
    assert (read.content, read.headers["ETag"]) == (answer.content, answer.headers["ETag"])


def test_put_without_a_required_field_is_400_and_changes_nothing(users: Users) -> None:
    user = users.created()
    assert faulty_fields(users.put(user["id"], {"name": "Grace"})) == {"email": "required"}
    assert users.get(user["id"]).json() == user


@pytest.mark.parametrize("method", ["put", "patch"])
def test_unknown_and_read_only_fields_are_400_by_name(users: Users, method: str) -> None:
    user = users.created()
    change = {"name": "Ada", "email": user["email"], "id": UNKNOWN, "nick": None, "updated_at": "now"}
    faults = faulty_fields(getattr(users, method)(user["id"], change))
    assert faults == {"id": "read_only", "nick": "unknown", "updated_at": "read_only"}
    assert users.get(user["id"]).json() == user


@pytest.mark.parametrize(
    "patch", [{"name": "Grace"}, {"role": "admin"}, {"email": "GRACE@navy.example.org"}, {"name": "G", "role": "admin"}]
)
def test_patch_changes_what_it_names_and_nothing_else(users: Users, patch: dict) -> None:
    user = users.created()
    changed = users.patch(user["id"], patch).json()
    assert {**changed, "updated_at": ""} == {**user, **patch, "updated_at": ""}
    assert changed["updated_at"] > user["updated_at"]
    users.delete(user["id"])


@pytest.mark.parametrize("patch", [{}, {"name": "Ada Lovelace"}, {"name": " Ada Lovelace "}, {"role": None}])
def test_patch_that_changes_nothing_leaves_the_etag_and_the_time(users: Users, patch: dict) -> None:
    user = users.created()
    before = users.get(user["id"])
    answer = users.patch(user["id"], patch)
    assert (answer.status_code, answer.content) == (200, before.content)
    assert answer.headers["ETag"] == before.headers["ETag"] == users.get(user["id"]).headers["ETag"]


@pytest.mark.parametrize("method", ["put", "patch"])
def test_the_document_that_get_gave_changes_nothing_until_it_is_edited(users: Users, method: str) -> None:
    user = users.created(role="admin")
    before = users.get(user["id"])
    answer = getattr(users, method)(user["id"], before.json())
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (200, before.content, before.headers["ETag"])
    edited = getattr(users, method)(user["id"], {**user, "name": "Grace"}).json()
    assert {**edited, "updated_at": ""} == {**user, "name": "Grace", "updated_at": ""}


def test_null_takes_a_field_back_to_its_default_or_is_400_where_there_is_none(users: Users) -> None:
    user = users.created(role="admin")
    assert users.patch(user["id"], {"role": None}).json()["role"] == "user"
    assert faulty_fields(users.patch(user["id"], {"name": None})) == {"name": "required"}


def test_patch_accepts_merge_patch_too_and_put_does_not(users: Users) -> None:
    path = f"/{users.created()['id']}"
    assert users.request("PATCH", path, data=b'{"name":"Grace"}', headers=MERGE).json()["name"] == "Grace"
    problem(users.request("PUT", path, data=b"{}", headers=MERGE), 415, "unsupported-media-type")


@pytest.mark.parametrize("body", [b"[]", b"null", b'[{"op":"add","path":"/name","value":"x"}]'])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_body_that_is_not_an_object_is_400(users: Users, method: str, body: bytes) -> None:
    user = users.created()
    answer = users.request(method, f"/{user['id']}", data=body, headers=JSON)
    assert list(faulty_fields(answer)) == [""]
    assert users.get(user["id"]).json() == user


@pytest.mark.parametrize("patch", [{"name": ""}, {"email": "x"}, {"role": {"a": 1}}])
def test_faulty_patch_is_400_and_changes_nothing(users: Users, patch: dict) -> None:
    user = users.created()
    assert faulty_fields(users.patch(user["id"], patch)).keys() == patch.keys()
    assert users.get(user["id"]).json() == user


def test_deleted_user_is_gone_and_in_no_list(users: Users) -> None:
    user = users.created()
    answer = users.delete(user["id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers  # RFC 9110 §8.6
    problem(users.get(user["id"]), 404, "user-not-found")
    problem(users.delete(user["id"]), 404, "user-not-found", f"/users/{user['id']}")
    assert users.list(email=user["email"]).json()["results"] == []
    assert user not in users.list(limit=100).json()["results"]


def test_broken_record_is_500_until_it_is_replaced_or_deleted(alone: Users, own_store: Store) -> None:
    good, bad = alone.created(), alone.created()
    with own_store.client() as client:
        client.set(PARTITION.record(bad["id"]), "{bad")
    problem(alone.get(bad["id"]), 500, "internal-error")
    problem(alone.patch(bad["id"], {"name": "Grace"}), 500, "internal-error")
    assert alone.list().json()["results"] == [good]
    replaced = alone.put(bad["id"], {"name": "Grace", "email": fresh_email()})
    assert replaced.status_code == 200
    assert alone.get(bad["id"]).json() == replaced.json()
    with own_store.client() as client:
        client.set(PARTITION.record(bad["id"]), "{bad")
    assert alone.delete(bad["id"]).status_code == 204
    assert alone.get(bad["id"]).status_code == 404
