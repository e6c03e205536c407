"""A client that validates every answer of the gateway against the schema that the same gateway serves."""

import os
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from jsonschema import Draft202012Validator

from tests.inlined import inlined

SECONDS = 10


class Client:
    """A client of the gateway at `url`; `users` holds the ids of its users until they are deleted.

    Raises requests.RequestException without a gateway.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.users: set[str] = set()
        self.headers = credentials()
        answer = requests.get(f"{self.url}/api/openapi.json", headers=self.headers, timeout=SECONDS)
        answer.raise_for_status()
        self.schema: dict[str, Any] = inlined(answer.json())

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request on a new connection, so that threads may send at the same time. Fails if the answer is not
        documented."""
        headers = self.headers | options.pop("headers", {})
        url = path if path.startswith("http") else self.url + path
        answer = requests.request(method, url, headers=headers, timeout=SECONDS, allow_redirects=False, **options)
        self._check(method.lower(), path.removeprefix(self.url).partition("?")[0], answer)
        return answer

    def create(self, **fields: Any) -> dict[str, Any]:
        """A user that is deleted at the end of the test."""
        answer = self.ask("POST", "/api/users", json=new_user(**fields))
        assert answer.status_code == requests.codes.created, answer.text
        user: dict[str, Any] = answer.json()
        self.users.add(user["id"])
        return user

    def delete_all(self) -> None:
        """Deletes every user of the test."""
        while self.users:
            assert self.ask("DELETE", f"/api/users/{self.users.pop()}").status_code in {204, 404}

    def _check(self, method: str, path: str, answer: requests.Response) -> None:
        if method == "head" or (operation := self._operation(method, path)) is None:
            return
        described = operation["responses"].get(str(answer.status_code))
        assert described, f"{method} {path}: {answer.status_code} is not documented"
        headers = described.get("headers", {}).items()
        required = {name for name, header in headers if header.get("required")}
        assert required - answer.headers.keys() == set(), f"{method} {path}"
        if not (content := described.get("content", {})):
            assert answer.content == b""
            return
        schema = content[answer.headers["Content-Type"].partition(";")[0]]["schema"]
        validator = Draft202012Validator({**schema, "components": self.schema["components"]})
        assert [error.message for error in validator.iter_errors(answer.json())] == [], f"{method} {path}"

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        """Nothing for a path or method that the schema does not have."""
        for template, item in self.schema["paths"].items():
            if method in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                operation: dict[str, Any] = item[method]
                return operation
        return None


def new_user(**fields: Any) -> dict[str, Any]:
    """A valid user with an unused address."""
    return {"name": "End To End", "email": f"end-to-end-{uuid4().hex}@example.com", **fields}


def credentials() -> dict[str, str]:
    """The API key, if the gateway requires one: as for `smoke`, from SMOKE_API_KEY or the file SMOKE_API_KEY_FILE."""
    file = os.environ.get("SMOKE_API_KEY_FILE")
    key = Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get("SMOKE_API_KEY", "")
    return {"X-API-Key": key} if key else {}
