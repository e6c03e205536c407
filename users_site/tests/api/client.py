"""A client of the user service for tests, and the shape of every problem."""

from itertools import count
from typing import Any
from uuid import uuid4

import requests

SECONDS = 20
JSON = {"Content-Type": "application/json"}
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}
UNKNOWN = "01900000-0000-7000-8000-000000000000"
_numbers = count()


def fresh_email() -> str:
    """An address that no other test uses."""
    return f"user-{next(_numbers)}-{uuid4().hex[:8]}@example.org"


ALONE = {"next": None, "previous": None, "next_cursor": None, "previous_cursor": None}
"""The links of the only page."""


class Users:
    """Requests to `/users…` of one service; usable by many threads, as each request has a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def request(self, method: str, path: str = "", **options: Any) -> requests.Response:
        """One request; `path` goes behind `/users`."""
        return requests.request(method, f"{self.url}/users{path}", timeout=SECONDS, allow_redirects=False, **options)

    def get(self, user_id: str, **headers: str) -> requests.Response:
        return self.request("GET", f"/{user_id}", headers=dashed(headers))

    def list(self, **query: Any) -> requests.Response:
        return self.request("GET", params=query)

    def post(self, body: Any, **headers: str | bytes) -> requests.Response:
        return self.request("POST", json=body, headers=dashed(headers))

    def post_bytes(self, body: bytes, content_type: str | None = "application/json") -> requests.Response:
        return self.request("POST", data=body, headers={"Content-Type": content_type})

    def put(self, user_id: str, body: Any, **headers: str) -> requests.Response:
        return self.request("PUT", f"/{user_id}", json=body, headers=dashed(headers))

    def patch(self, user_id: str, body: Any, **headers: str) -> requests.Response:
        return self.request("PATCH", f"/{user_id}", json=body, headers=dashed(headers))

    def delete(self, user_id: str, **headers: str) -> requests.Response:
        return self.request("DELETE", f"/{user_id}", headers=dashed(headers))

    def health(self, path: str = "/ready") -> tuple[int, str]:
        """The status and the text of `/health…`."""
        answer = requests.get(f"{self.url}/health{path}", timeout=SECONDS)
        return answer.status_code, answer.json()["status"]

    def is_ready(self) -> bool:
        return self.health()[0] == 200

    def created(self, **fields: Any) -> dict[str, Any]:
        """A new user, as answered."""
        answer = self.post({"name": "Ada Lovelace", "email": fresh_email(), **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def dashed(headers: dict[str, Any]) -> dict[str, Any]:
    """`if_match="x"` as the header `if-match: x`."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def problem(answer: requests.Response, status: int, code: str, path: str | None = None) -> dict[str, Any]:
    """The problem in an answer, after checking that all its members are there."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert body.keys() == (MEMBERS | {"errors"} if status == 400 else MEMBERS)
    assert (body["status"], body["code"]) == (status, code), body
    assert body["type"] == f"/problems#{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    if path is not None:
        assert body["instance"] == path
    if status == 503:
        assert int(answer.headers["Retry-After"]) >= 1
    return body


def faulty_fields(answer: requests.Response) -> dict[str, str]:
    """The fields that a 400 names, each with the code of its fault."""
    errors = problem(answer, 400, "validation-error")["errors"]
    assert all(error.keys() == {"field", "code", "detail"} and error["detail"] for error in errors)
    return {error["field"]: error["code"] for error in errors}
