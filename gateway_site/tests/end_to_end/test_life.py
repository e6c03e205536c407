"""A user's life cycle, seen by a client."""

from uuid import uuid4

from gateway_site.tests.end_to_end.client import Client, new_user


def test_a_user_is_created_read_changed_and_deleted(client: Client) -> None:
    body = new_user(role="admin")
    created = client.ask("POST", "/api/users", json=body)
    assert created.status_code == 201
    where, tag = created.headers["Location"], created.headers["ETag"]
    client.users.add(created.json()["id"])
    read = client.ask("GET", where)
    assert (read.status_code, read.content, read.headers["ETag"]) == (200, created.content, tag)
    assert client.ask("GET", where, headers={"If-None-Match": tag}).status_code == 304
    assert client.ask("HEAD", where).headers["Content-Length"] == str(len(read.content))
    found = client.ask("GET", "/api/users", params={"email": body["email"].upper()}).json()
    assert (found["count"], found["results"]) == (1, [created.json()])
    patched = client.ask("PATCH", where, json={"name": "Ada"}, headers={"If-Match": tag})
    assert (patched.status_code, patched.json()["name"], patched.json()["email"]) == (200, "Ada", body["email"])
    stale = client.ask("PUT", where, json=body, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    assert client.ask("PUT", where, json=body).json()["name"] == body["name"]
    taken = client.ask("POST", "/api/users", json=body)
    assert (taken.status_code, taken.json()["code"]) == (409, "email-taken")
    deleted = client.ask("DELETE", where)
    assert (deleted.status_code, deleted.content) == (204, b"")
    gone = client.ask("GET", where)
    assert (gone.status_code, gone.json()["code"]) == (404, "user-not-found")
    assert client.ask("DELETE", where).status_code == 404


def test_a_repeated_creation_gets_the_first_answer(client: Client) -> None:
    body, key = new_user(), {"Idempotency-Key": uuid4().hex}
    first = client.ask("POST", "/api/users", json=body, headers=key)
    client.users.add(first.json()["id"])
    again = client.ask("POST", "/api/users", json=body, headers=key)
    assert (again.status_code, again.content, again.headers["Idempotency-Replayed"]) == (201, first.content, "true")
    other = client.ask("POST", "/api/users", json=new_user(), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
