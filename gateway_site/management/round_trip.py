"""The steps of `smoke`: one user is created, read, changed and deleted through a running gateway.

Safe in production: some twenty requests, one user with a marked name and an unused address, which is deleted at the end
even after a failure. Each request has a time-out, and none is retried.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from gateway_site.management.expectations import (
    ContractViolation,
    as_object,
    reason,
    require,
    require_problem,
    require_status,
)

USERS = "/api/users"
MARK = "Smoke Test"
CONNECT_SECONDS = 3.0


@dataclass
class Step:
    """One step: `outcome` is ok, failed or skipped."""

    name: str
    outcome: str = "skipped"
    milliseconds: float = 0.0
    detail: str = ""


class RoundTrip:
    """Steps against the gateway at `url`, with `credentials` as header fields.

    `users_url` is the user service itself, if it is reachable; `seconds` bounds each answer. `door`: the URL is the
    public one, without health and versions. `is_refused`: whether the gateway refused the credential.
    """

    def __init__(self, url: str, users_url: str, *, seconds: float, credentials: dict[str, str], door: bool) -> None:
        self.url, self.users_url, self._door = url, users_url, door
        self._timeout = (CONNECT_SECONDS, seconds)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "users-gateway-smoke"
        self._session.headers.update(credentials)
        token = uuid.uuid4().hex
        self._email, self._request_id = f"smoke-{token}@example.com", f"smoke-{token}"
        self._path = self._etag = ""
        self._user: dict[str, Any] = {}
        self._may_be_there = self.is_refused = False
        self.steps: list[Step] = []

    def run(self) -> list[Step]:
        """Every step with its outcome; raises nothing."""
        for method in (self.live, self.health, self.ready, self.version_skew):
            self._take(method, skip_because="not reachable at the public address" if self._door else "")
        for method in (self.unknown_user, self.invalid_user):
            self._take(method)
        life = (self.read, self.not_modified, self.find, self.list, self.taken, self.change, self.stale_change)
        try:
            self._take(self.create)
            for method in (*life, self.delete):
                self._take(method, skip_because="" if self._path else "no user")
        finally:
            if self._may_be_there:
                self._take(self.clean_up)
        return self.steps

    def _take(self, method: Callable[[], str | None], skip_because: str = "") -> None:
        step = Step(method.__name__.replace("_", " "), detail=skip_because)
        if not skip_because:
            started = time.perf_counter()
            try:
                step.outcome, step.detail = "ok", method() or ""
            except ContractViolation as error:
                step.outcome, step.detail = "failed", str(error)
                self.is_refused |= error.status in {401, 403}
            except requests.RequestException as error:
                step.outcome, step.detail = "failed", reason(error)
            step.milliseconds = round((time.perf_counter() - started) * 1000, 1)
        self.steps.append(step)

    def _ask(self, method: str, path: str, status: int | None = None, **options: Any) -> requests.Response:
        """Raises ContractViolation for another status, if one is given."""
        headers = {"X-Request-ID": self._request_id, **options.pop("headers", {})}
        url = options.pop("base", self.url) + path
        answer = self._session.request(
            method, url, timeout=self._timeout, allow_redirects=False, headers=headers, **options
        )
        if status:
            require_status(answer, status)
        return answer

    def _refused(self, method: str, path: str, status: int, code: str, **options: Any) -> dict[str, Any]:
        return require_problem(self._ask(method, path, **options), status, code, path)

    # Steps without a user

    def live(self) -> None:
        answer = self._ask("GET", "/health/live", 200)
        require(as_object(answer) == {"status": "alive"}, 'the answer is not {"status": "alive"}')

    def health(self) -> str:
        answer = self._ask("GET", "/health", 200)
        body = as_object(answer)
        require(body.get("status") == "healthy", f"status is {body.get('status')!r}")
        require(body.get("service") == "api-gateway", f"the service is {body.get('service')!r}, not api-gateway")
        return f"api-gateway {body.get('version')}"

    def ready(self) -> str:
        answer = self._ask("GET", "/health/ready")
        dependencies = as_object(answer).get("dependencies", {})
        states = ", ".join(f"{name} {state}" for name, state in dependencies.items())
        require(answer.status_code == requests.codes.ok, f"{answer.status_code}: {states or 'no dependencies'}")
        return states

    def version_skew(self) -> str:
        here = as_object(self._ask("GET", "/version"))
        require({"service", "version", "revision"} <= here.keys(), "/version lacks service, version or revision")
        if not self.users_url:
            return f"{_release(here)}; the user service is not reachable from here: compare with --users-url"
        there = as_object(self._ask("GET", "/version", base=self.users_url))
        require(there.get("service") == "user-service", f"--users-url leads to {there.get('service')!r}")
        both = f"gateway {_release(here)}, user service {_release(there)}"
        require(_release(here) == _release(there), both)
        return both

    def unknown_user(self) -> None:
        self._refused("GET", f"{USERS}/{uuid.uuid4()}", 404, "user-not-found")

    def invalid_user(self) -> None:
        invalid = {"email": "no address", "shoe_size": 43}
        problem = self._refused("POST", USERS, 400, "validation-error", json=invalid)
        fields = {error.get("field") for error in problem.get("errors", [])}
        require(fields == {"name", "email", "shoe_size"}, f"errors has {', '.join(sorted(map(str, fields)))}")

    # The life of a user

    def create(self) -> str:
        try:
            answer = self._ask("POST", USERS, json={"name": MARK, "email": self._email})
        except requests.RequestException as error:
            self._may_be_there = not _never_connected(error)
            raise
        self._may_be_there = answer.status_code >= 500 or answer.ok
        require_status(answer, 201)
        self._user = as_object(answer)
        self._path, self._etag = f"{USERS}/{self._user.get('id')}", answer.headers.get("ETag", "")
        fields = {"id", "name", "email", "role", "created_at", "updated_at"}
        require(self._user.keys() == fields, f"its fields are {', '.join(self._user)}")
        location = answer.headers.get("Location", "")
        require(location.endswith(self._path), f"Location is {location!r}")
        require(self._etag.startswith('"'), f"ETag is {self._etag!r}, no strong one")
        return str(self._user["id"])

    def read(self) -> None:
        answer = self._ask("GET", self._path, 200)
        fields = {"X-Request-ID": self._request_id, "Content-Type": "application/json"}
        for name, value in {**fields, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}.items():
            given = answer.headers.get(name, "absent")
            require(given.startswith(value), f"{name} is {given}, not {value}")
        require(as_object(answer) == self._user, "the user differs from the created one")
        require(answer.headers.get("ETag") == self._etag, "the ETag differs from the one of the creation")

    def not_modified(self) -> None:
        self._ask("GET", self._path, 304, headers={"If-None-Match": self._etag})

    def find(self) -> None:
        """GET by email, in another case."""
        answer = self._ask("GET", USERS, 200, params={"email": self._email.upper()})
        require(as_object(answer).get("results") == [self._user], "the result is not the created user")

    def list(self) -> str:
        answer = self._ask("GET", USERS, 200, params={"limit": 1})
        page = as_object(answer)
        require({"count", "next", "previous", "results"} <= page.keys(), f"a page has {', '.join(page)}")
        require(len(page["results"]) == 1, f"a page of 1 has {len(page['results'])} users")
        following = page["next"]
        require(not following or following.startswith(f"{self.url}{USERS}?"), f"next leads to {following}")
        return f"{page['count']} users"

    def taken(self) -> None:
        self._refused("POST", USERS, 409, "email-taken", json={"name": MARK, "email": self._email})

    def change(self) -> None:
        condition = {"If-Match": self._etag}
        answer = self._ask("PATCH", self._path, 200, json={"name": f"{MARK} 2"}, headers=condition)
        require(as_object(answer).get("name") == f"{MARK} 2", "the name has not changed")
        require(answer.headers.get("ETag") != self._etag, "the ETag has not changed")

    def stale_change(self) -> None:
        """PATCH with the If-Match of the previous version."""
        old = {"If-Match": self._etag}
        self._refused("PATCH", self._path, 412, "precondition-failed", json={"name": MARK}, headers=old)

    def delete(self) -> None:
        self._ask("DELETE", self._path, 204)
        self._may_be_there = False
        self._refused("GET", self._path, 404, "user-not-found")

    def clean_up(self) -> str:
        if not self._path and not self._find_path():
            return "no user was created"
        answer = self._ask("DELETE", self._path)
        require(answer.status_code in {204, 404}, f"the user {self._email} could not be deleted: delete it")
        return "the user is deleted"

    def _find_path(self) -> bool:
        """Looks for the user of a POST without a usable answer. Raises ContractViolation if the users cannot be read."""
        found = None
        with suppress(requests.RequestException):
            found = as_object(self._ask("GET", USERS, params={"email": self._email})).get("results")
        require(isinstance(found, list), f"POST may have created {self._email}: look for it and delete it")
        if found:
            self._path = f"{USERS}/{found[0]['id']}"
        return bool(found)


def _release(version: dict[str, Any]) -> str:
    return f"{version.get('version')} ({version.get('revision')})"


def _never_connected(error: requests.RequestException) -> bool:
    """Whether there was no connection, so that nothing was created."""
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, (requests.ConnectTimeout, requests.exceptions.SSLError)) or isinstance(
        cause, NewConnectionError
    )
