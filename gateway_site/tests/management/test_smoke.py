"""smoke: passes on a system that keeps the contract, fails on one that breaks it, and leaves no user behind."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests
from django.core.management.base import CommandError

from gateway_site.management.commands.smoke import CREDENTIALS
from gateway_site.management.round_trip import RoundTrip
from gateway_site.tests.management.conftest import Fault, called, failing, faulty_gateway
from tests.http_server import Handler, http_server
from tools.processes.service import Service, free_port

pytestmark = pytest.mark.slow

STEPS = [
    "live",
    "health",
    "ready",
    "version skew",
    "unknown user",
    "invalid user",
    "create",
    "read",
    "not modified",
    "find",
    "list",
    "taken",
    "change",
    "stale change",
    "delete",
]


@pytest.fixture(scope="module", autouse=True)
def other_users(gateway_service: Service) -> None:
    """Two, so that a page of one has a next."""
    for _ in range(2):
        fields = {"name": "Other", "email": f"{uuid.uuid4().hex}@example.com"}
        assert requests.post(f"{gateway_service.url}/api/users", json=fields, timeout=5).ok


def passed(url: str, *options: str) -> dict[str, Any]:
    """The report of a run without a failed step."""
    report: dict[str, Any] = orjson.loads(called("smoke", "--url", url, "--format", "json", *options)[0])
    assert report["ok"] is True
    return report


def failed(url: str, *options: str) -> tuple[dict[str, Any], str]:
    """The report of a run with a failed step, and the error."""
    text, error = failing("smoke", "--url", url, "--format", "json", *options)
    return orjson.loads(text), str(error)


def last(report: dict[str, Any]) -> tuple[str, str, str]:
    step = report["steps"][-1]
    return step["name"], step["outcome"], step["detail"]


def failed_steps(report: dict[str, Any]) -> list[str]:
    return [step["name"] for step in report["steps"] if step["outcome"] == "failed"]


@pytest.fixture
def gateway(gateway_service: Service) -> Iterator[str]:
    """The URL of a gateway at which a test leaves as many users as it found."""

    def users() -> int:
        count: int = requests.get(f"{gateway_service.url}/api/users", timeout=5).json()["count"]
        return count

    before = users()
    yield gateway_service.url
    assert users() == before


def test_every_step_is_ok_and_timed_and_no_user_is_left_behind(gateway: str) -> None:
    report = passed(gateway)
    assert [step["name"] for step in report["steps"]] == STEPS
    assert all(step["milliseconds"] > 0 for step in report["steps"])


def test_table_names_every_step(gateway: str) -> None:
    text, _ = called("smoke", "--url", gateway)
    assert [line.split("  ")[0].strip() for line in text.splitlines()[2:]] == STEPS


def test_a_public_address_needs_an_option(gateway: str) -> None:
    def fault(method: str, target: str, answer: requests.Response) -> None:
        if not target.startswith("/api"):
            answer.status_code, answer._content = 404, b"no route"

    with faulty_gateway(gateway, fault) as url:
        report = passed(url, "--door")
        assert failed_steps(failed(url)[0]) == STEPS[:4], "without the option it is a failure"
    assert [step["name"] for step in report["steps"] if step["outcome"] == "skipped"] == STEPS[:4]


def skew(report: dict[str, Any]) -> str:
    return "".join(step["detail"] for step in report["steps"] if step["name"] == "version skew")


def test_versions_are_compared_at_the_option_or_in_the_pod_of_the_gateway(
    gateway: str, users_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, _ = failed(gateway, "--users-url", gateway)
    assert skew(report) == "--users-url leads to 'api-gateway'"
    for elsewhere in ("http://127.0.0.1:1", gateway):
        monkeypatch.setenv("USER_SERVICE_URL", elsewhere)
        assert "compare with --users-url" in skew(passed(gateway))
    monkeypatch.setenv("USER_SERVICE_URL", users_service.url)
    assert re.fullmatch(r"gateway (.+), user service \1", skew(passed(gateway)))


def test_version_skew_is_found(gateway: str) -> None:
    class Newer(Handler):
        def do_GET(self) -> None:
            self.answer(200, b'{"service":"user-service","version":"9.9.9","revision":"x"}')

    with http_server(Newer) as url:
        report, error = failed(gateway, "--users-url", url)
    assert failed_steps(report) == ["version skew"]
    assert "1 of" in error


def breach(
    path: str, method: str = "", *, status: int = 0, body: tuple[bytes, bytes] = (b"", b""), **fields: str | None
) -> Fault:
    """Changes the answers to this method, without one to any, at paths that begin so; a field that is None goes."""

    def fault(asked: str, target: str, answer: requests.Response) -> None:
        if asked == (method or asked) and target.startswith(path):
            answer.status_code = status or answer.status_code
            answer._content = answer.content.replace(*body) if body[0] else answer.content
            for name, value in fields.items():
                answer.headers[name.replace("_", "-")] = value or ""
                if value is None:
                    del answer.headers[name.replace("_", "-")]

    return fault


USER, USERS = "/api/users/", "/api/users"
FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "not alive": (breach("/health/live", status=500), {"live"}),
    "another service": (breach("/health", body=(b"api-gateway", b"user-service")), {"health"}),
    "not ready": (breach("/health/ready", status=503), {"ready"}),
    "no version": (breach("/version", body=(b'"version"', b'"v"')), {"version skew"}),
    "problem is no problem": (
        breach(USER, Content_Type="text/html"),
        {"unknown user", "read", "stale change", "delete"},
    ),
    "problem without code": (breach(USER, "GET", body=(b'"code"', b'"c"')), {"unknown user", "delete"}),
    "problem names the inner path": (breach(USER, "GET", body=(b'"/api/', b'"/')), {"unknown user", "delete"}),
    "field not named": (breach(USERS, "POST", body=(b"shoe_size", b"x")), {"invalid user"}),
    "read fails": (breach(USER, "GET", status=502), {"unknown user", "read", "not modified", "delete"}),
    "request ID lost": (breach(USER, X_Request_ID="another"), {"unknown user", "read", "stale change", "delete"}),
    "sniffing allowed": (breach(USER, X_Content_Type_Options=None), {"read"}),
    "cacheable": (breach(USER, Cache_Control="public"), {"read"}),
    "next leads inside": (breach(f"{USERS}?limit", body=(b"/api/users", b"/users")), {"list"}),
    "change fails": (breach(USER, "PATCH", status=500), {"change", "stale change"}),
    "no ETag": (breach(USERS, ETag=None), {"create", "read", "not modified", "change"}),
    "delete fails": (breach(USER, "DELETE", status=503), {"delete"}),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_each_breach_of_the_contract_is_a_failed_step(gateway: str, fault: Fault, expected: set[str]) -> None:
    with faulty_gateway(gateway, fault) as url:
        report, error = failed(url)
    assert expected <= set(failed_steps(report)), report
    assert error.startswith(f"{len(failed_steps(report))} of ")


def test_a_user_whose_creation_was_not_answered_is_deleted(gateway: str) -> None:
    with faulty_gateway(gateway, breach(USERS, "POST", status=504)) as url:
        report, _ = failed(url)
    assert "create" in failed_steps(report)
    assert last(report) == ("clean up", "ok", "the user is deleted")


def test_ctrl_c_leaves_no_user_behind_and_shows_the_last_step(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: RoundTrip) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RoundTrip, "find", interrupted)
    with pytest.raises(CommandError, match=r"^stopped after 10 steps, the last: clean up ok$"):
        called("smoke", "--url", gateway)


def test_user_that_cannot_be_deleted_is_named(gateway: str) -> None:
    with faulty_gateway(gateway, breach(USER, "DELETE", status=500)) as url:
        report, _ = failed(url)
    # The first DELETE succeeded with a wrong status; the second gets 500 too.
    name, outcome, detail = last(report)
    assert (name, outcome, "smoke-" in detail) == ("clean up", "failed", True)


def test_a_user_that_may_exist_is_named_if_the_users_cannot_be_read(gateway: str) -> None:
    def fault(method: str, target: str, answer: requests.Response) -> None:
        if target.startswith("/api/users"):
            answer.status_code, answer._content = 502, b"{}"

    with faulty_gateway(gateway, fault) as url:
        report, _ = failed(url)
    (made,) = re.findall(r"^POST may have created (smoke-\w+@example.com)", last(report)[2])
    found = requests.get(f"{gateway}/api/users", params={"email": made}, timeout=5).json()["results"]
    requests.delete(f"{gateway}/api/users/{found[0]['id']}", timeout=5)


def test_gateway_that_is_away_fails_every_step_in_time() -> None:
    report, error = failed(f"http://127.0.0.1:{free_port()}")
    assert "create" in failed_steps(report)
    assert {step["outcome"] for step in report["steps"]} == {"failed", "skipped"}
    assert last(report)[0] == "delete", "no clean-up of a user that was never created"
    assert "smoke-" not in str(report)
    assert "no connection" in report["steps"][0]["detail"]
    assert "SMOKE_" not in error


def test_no_user_can_be_left_by_a_gateway_without_tls(gateway: str) -> None:
    report, _ = failed(gateway.replace("http:", "https:"))
    assert "no TLS" in report["steps"][0]["detail"]
    assert "smoke-" not in str(report)


@pytest.mark.parametrize("url", ["", "localhost:3000", "ftp://x", "http://", "http://x/api", "http://u:p@x"])
def test_url_that_is_not_an_origin_is_wrong_usage(url: str) -> None:
    with pytest.raises(CommandError, match=r"--url: give http:// or https:// and a host[^\n]+$"):
        called("smoke", f"--url={url}")


@pytest.mark.parametrize(("field", "name"), CREDENTIALS.items())
def test_credential_is_sent_and_never_shown(
    gateway_service: Service, monkeypatch: pytest.MonkeyPatch, field: str, name: str
) -> None:
    seen: list[str | None] = []

    def fault(method: str, path: str, answer: requests.Response) -> None:
        seen.append(answer.request.headers.get(field))
        answer.status_code = 401

    monkeypatch.setenv(name, "Bearer hush-hush")
    with faulty_gateway(gateway_service.url, fault) as url:
        report, error = failed(url)
    assert set(seen) == {"Bearer hush-hush"}
    assert "hush-hush" not in str(report) + error
    assert all(each in error for each in CREDENTIALS.values()), "the cure"
