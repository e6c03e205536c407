"""An upstream that answers as a test plans, once on Python's http.server and once on node's http."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.http_server import Handler, http_server

SECONDS = 10
SCRIPT = Path(__file__).with_suffix(".js")


class Scripted:
    """The upstream at `url`, directed and asked over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def plan(self, body: str = "{}", status: int = 200, /, **fields: str) -> None:
        """From now on it answers so, 304 to a request that holds its `etag`, not at all for status 0. What it has seen is
        dropped."""
        pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
        plan = {"status": status, "fields": pairs, "body": body}
        requests.put(f"{self.url}/plan", json=plan, timeout=SECONDS).raise_for_status()

    def seen(self) -> list[dict[str, Any]]:
        """The requests since: method, target, fields, body."""
        found: list[dict[str, Any]] = requests.get(f"{self.url}/seen", timeout=SECONDS).json()
        return found


@contextmanager
def scripted(kind: str) -> Iterator[Scripted]:
    own = {"planned": {"status": 200, "fields": [], "body": ""}, "seen": []}
    with _node() if kind == "node" else http_server(type("Planned", (_Planned,), own)) as url:
        yield Scripted(url)


@contextmanager
def _node() -> Iterator[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    with subprocess.Popen([node, SCRIPT], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


class _Planned(Handler):
    """`planned` and `seen` are its server's."""

    protocol_version = "HTTP/1.1"
    planned: dict[str, Any]
    seen: list[dict[str, Any]]

    def do_GET(self) -> None:
        body = self.body().decode()
        if self.path == "/plan":
            self.planned.update(json.loads(body))
            self.seen.clear()
            self.answer(200)
        elif self.path == "/seen":
            self.answer(200, json.dumps(self.seen).encode())
        elif self.planned["status"] == 0:
            self.close_connection = True
        else:
            fields = {name.lower(): value for name, value in self.headers.items()}
            self.seen.append({"method": self.command, "target": self.path, "fields": fields, "body": body})
            self.answer_as_planned(fields.get("if-none-match", "").replace("W/", "").split(", "))

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def answer_as_planned(self, held: list[str]) -> None:
        is_held = dict(self.planned["fields"]).get("etag") in held
        self.send_response(304 if is_held else self.planned["status"])
        for name, value in self.planned["fields"]:
            self.send_header(name, value)
        body = self.planned["body"].encode()
        if not is_held:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not is_held and self.command != "HEAD":
            self.wfile.write(body)
