"""The gateway's answers are the user service's. Tests from a client's view: end_to_end/."""

from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.log_lines import Line, access_lines, waited_for
from tests.wire import Answer, exchange, get
from tools.processes.service import Service, service
from tools.processes.store import store

CONNECTION_ONLY = {"date", "server", "connection", "transfer-encoding", "x-request-id"}
SECONDS = 10


@pytest.fixture
def users(gateway_service: Service) -> str:
    """The collection's URL at the gateway."""
    return f"{gateway_service.url}/api/users"


CASES = {
    "a page": ("GET", "/users?limit=1", b""),
    "no such user": ("GET", "/users/01900000-0000-7000-8000-000000000000", b""),
    "no uuid": ("GET", "/users/%00%ff", b""),
    "a long id": ("GET", "/users/" + "x" * 3000, b""),
    "an encoded slash": ("GET", "/users/a%2Fb", b""),
    "dots": ("GET", "/users/..%2f", b""),
    "a bad limit": ("GET", "/users?limit=0", b""),
    "malformed JSON": ("POST", "/users", b"{"),
    "20,000 brackets": ("POST", "/users", b"[" * 20_000),
    "unknown fields": ("POST", "/users", b'{"nome": 1}'),
    "another method": ("BREW", "/users", b""),
    "connect": ("CONNECT", "/users", b""),
    "connect a user": ("CONNECT", "/users/01900000-0000-7000-8000-000000000000", b""),
    "options": ("OPTIONS", "/users", b""),
    "a trailing slash": ("GET", "/users/", b""),
    "delete nobody": ("DELETE", "/users/01900000-0000-7000-8000-000000000000", b""),
    "head": ("HEAD", "/users?limit=1", b""),
}


def asked(service: Service, prefix: str, method: str, path: str, body: bytes) -> tuple[Answer, dict[str, list[str]]]:
    """The answer, and its end-to-end fields."""
    fields = ["X-Request-ID: the-same", "Content-Type: application/json"]
    length = [f"Content-Length: {len(body)}"] if body else []
    answer = exchange(service.port, get(prefix + path, *fields, *length, method=method) + body, method)
    return answer, {name: answer.values(name) for name, _ in answer.headers if name not in CONNECTION_ONLY}


@pytest.mark.parametrize(("method", "path", "body"), CASES.values(), ids=CASES.keys())
def test_the_gateways_answer_is_the_user_services(
    users_service: Service, gateway_service: Service, users: str, method: str, path: str, body: bytes
) -> None:
    requests.post(users, json={"name": "Ada", "email": f"{uuid4().hex}@example.com"}, timeout=SECONDS)
    direct, direct_fields = asked(users_service, "", method, path, body)
    through, through_fields = asked(gateway_service, "/api", method, path, body)
    assert direct.status < 500
    assert through.status == direct.status
    if method != "HEAD" and direct.body:
        here, there = direct.json(), through.json()
        if "instance" in here:
            assert here.pop("instance") == path.partition("?")[0]
            assert there.pop("instance") == "/api" + path.partition("?")[0]
        for link in {"next", "previous"} & here.keys():
            here.pop(link), there.pop(link)
        assert there == here
        through_fields.pop("content-length"), direct_fields.pop("content-length")
    if method == "HEAD":
        through_fields.pop("content-length"), direct_fields.pop("content-length")
    assert through_fields == direct_fields


def test_as_many_fields_as_the_gateway_accepts_reach_the_user_service(gateway_service: Service) -> None:
    fields = [f"X-{number}: a" for number in range(99)]  # with Host 100
    assert exchange(gateway_service.port, get("/api/users?limit=1", *fields)).status == 200
    refused = exchange(gateway_service.port, get("/api/users?limit=1", *fields, "X-99: a"))
    assert (refused.status, refused.json()["instance"]) == (431, "/api/users")


def test_both_services_log_the_same_request_id(users_service: Service, gateway_service: Service, users: str) -> None:
    requests.get(users, headers={"X-Request-ID": "end-to-end"}, timeout=SECONDS)
    (there,), (here,) = access_lines(users_service, "end-to-end"), access_lines(gateway_service, "end-to-end")
    assert (there["path"], here["path"]) == ("/users", "/api/users")


def test_each_service_reports_its_own_dependency(tmp_path: Path) -> None:
    def cause(running: Service) -> Line:
        (line,) = access_lines(running, "lost-store")
        return {name: line[name] for name in ("level", "code", "reason")}

    with (
        store(tmp_path) as running,
        service("users_site", tmp_path, REDIS_URL=running.url) as users,
        service("gateway_site", tmp_path, USER_SERVICE_URL=users.url, AUTH="none") as gateway,
    ):
        running.kill()
        answer = requests.get(f"{gateway.url}/api/users", headers={"X-Request-ID": "lost-store"}, timeout=SECONDS)
        problem = answer.json()
        assert (problem["status"], problem["code"], problem["instance"]) == (503, "store-unavailable", "/api/users")
        assert int(answer.headers["retry-after"]) >= 1
        assert requests.get(f"{users.url}/health/ready", timeout=SECONDS).json()["dependencies"] == {"redis": "down"}
        ready = requests.get(f"{gateway.url}/health/ready", timeout=SECONDS)
        assert (ready.status_code, ready.json()["dependencies"]) == (200, {"user-service": "up"})
        assert cause(gateway) == {"level": "error", "code": "forwarded", "reason": "user-service answered 503"}
        own = cause(users)
        assert own.pop("reason") in {"redis: refused", "redis: closed"}
        assert own == {"level": "error", "code": "store-unavailable"}
        (lost,) = waited_for(users, lambda line: line["message"] == "Redis is lost")
        assert lost["level"] == "warning"
