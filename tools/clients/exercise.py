"""The generated Python client at a running gateway: create, read, list with paging, conflict, conditional update.

`python exercise.py http://127.0.0.1:3000`, with build/clients/python on PYTHONPATH, and in TOKEN the bearer token or API key
where the gateway wants one. Any difference ends it.
"""

import os
import sys
import uuid
from urllib.parse import parse_qs, urlsplit

from users_gateway_client import AuthenticatedClient as Client
from users_gateway_client.api.service import get_health
from users_gateway_client.api.users import create_user, delete_user, get_user, list_users, update_user
from users_gateway_client.models import (
    Health,
    PatchedUserRequest,
    Problem,
    ProblemCode,
    Role,
    User,
    UserPage,
    UserRequest,
)
from users_gateway_client.types import UNSET, Unset

ANYBODY = "with AUTH=none no credential is looked at"


def main(url: str) -> None:
    """Everything once, with users of its own."""
    with Client(base_url=url, token=os.environ.get("TOKEN", ANYBODY), raise_on_unexpected_status=True) as client:
        health = get_health.sync(client=client)
        expect(isinstance(health, Health) and health.service == "api-gateway", health)
        first, second = create(client), create(client)
        try:
            read(client, first)
            page(client, {first.id, second.id})
            conflict(client, first)
            change(client, first)
        finally:
            for user in (first, second):
                gone = delete_user.sync_detailed(user.id, client=client)
                expect(gone.status_code == 204, gone)
        absent = get_user.sync(first.id, client=client)
        expect(isinstance(absent, Problem) and absent.code is ProblemCode.USER_NOT_FOUND, absent)


def create(client: Client) -> User:
    """A new user; the same request again is the same user."""
    body = UserRequest(name="Ana Gómez", email=f"{uuid.uuid4()}@example.com")
    key = str(uuid.uuid4())
    created = create_user.sync_detailed(client=client, body=body, idempotency_key=key)
    again = create_user.sync_detailed(client=client, body=body, idempotency_key=key)
    expect(created.status_code == 201 and isinstance(created.parsed, User), created)
    expect(again.parsed == created.parsed and again.headers["Idempotency-Replayed"] == "true", again)
    assert isinstance(created.parsed, User)  # noqa: S101 - for the type checker; `expect` has looked
    expect(created.parsed.role is Role.USER, created.parsed)
    return created.parsed


def read(client: Client, user: User) -> None:
    """The user as created; 304 while it has not changed."""
    answer = get_user.sync_detailed(user.id, client=client)
    expect(answer.parsed == user, answer)
    unchanged = get_user.sync_detailed(user.id, client=client, if_none_match=answer.headers["ETag"])
    expect(unchanged.status_code == 304, unchanged)


def page(client: Client, wanted: set[uuid.UUID]) -> None:
    """Page by page until all of the wanted were seen."""
    cursor: str | Unset = UNSET
    while wanted:
        found = list_users.sync(client=client, limit=1, cursor=cursor)
        if not isinstance(found, UserPage):
            raise SystemExit(f"no page: {found}")
        expect(found.count >= 2 and len(found.results) == 1, found)
        wanted = wanted - {user.id for user in found.results}
        if wanted and found.next_ is None:
            raise SystemExit(f"not on any page: {wanted}")
        cursor = parse_qs(urlsplit(found.next_ or "").query).get("cursor", [""])[0]


def conflict(client: Client, user: User) -> None:
    """The email of another user is a problem with a code of the enumeration."""
    problem = create_user.sync(client=client, body=UserRequest(name="Eve", email=user.email.upper(), role=Role.ADMIN))
    expect(isinstance(problem, Problem) and problem.code is ProblemCode.EMAIL_TAKEN, problem)


def change(client: Client, user: User) -> None:
    """A change at the version that was read goes through, the same one again does not."""
    tag = get_user.sync_detailed(user.id, client=client).headers["ETag"]
    body = PatchedUserRequest(role=Role.ADMIN)
    changed = update_user.sync(user.id, client=client, body=body, if_match=tag)
    expect(isinstance(changed, User) and changed.role is Role.ADMIN, changed)
    refused = update_user.sync(user.id, client=client, body=body, if_match=tag)
    expect(isinstance(refused, Problem) and refused.code is ProblemCode.PRECONDITION_FAILED, refused)


def expect(holds: bool, what: object) -> None:
    """Ends the program if something does not hold."""
    if not holds:
        raise SystemExit(f"not as the schema says: {what}")


if __name__ == "__main__":
    main(sys.argv[1])
    sys.stdout.write("the Python client works\n")
