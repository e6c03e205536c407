"""Every error is a problem with all its members, and reveals nothing internal."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from django.core.exceptions import SuspiciousOperation
from django.http import Http404
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError

from common.http import problem
from common.http.problem import KINDS, Kind, Problem
from common.http.problems import from_exception, response
from common.server.refusal import Refusal
from tests.application import SECRET, application
from tests.in_process import call, request
from tests.serving import Served
from tests.site import COLLECTION, OVERLOADED, UNKNOWN_USER
from tests.wire import Answer, exchange, get
from tools.processes.service import Service

MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}


def assert_problem(answer: Answer, status: int, code: str, instance: str) -> None:
    body = answer.json()
    assert answer.values("content-type") == ["application/problem+json"]
    assert (answer.status, body["status"], body["code"], body["instance"]) == (status, status, code, instance)
    assert body.keys() == MEMBERS | ({"errors"} if status == 400 else set())
    assert body["type"] == f"/problems#{code}"
    assert body["title"] == KINDS[code].title
    assert body["detail"]
    assert answer.values("x-request-id") == [body["request_id"]]
    assert answer.values("cache-control") == ["no-store"]
    assert answer.values("x-content-type-options") == ["nosniff"]


def over_the_wire(service: Service | Served, method: str, path: str) -> Answer:
    return exchange(service.port, get(path, method=method), method)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/nowhere",
            "/nowhere?email=a@b.c",
            "/health/",
            "/version/",
            COLLECTION + "/",
            UNKNOWN_USER + "/",
            UNKNOWN_USER + "/x",
        ),
        *("/..%2fhealth", "/health%2Flive", UNKNOWN_USER.replace("users/", "users%2f")),  # an encoded slash is none
        *("//example.com/version", "/../version", "/./version", "/%2e%2e/version", "/version%00", "/%ff"),
    ],
)
def test_unknown_path_is_404(site: Service, path: str) -> None:
    assert_problem(over_the_wire(site, "GET", path), 404, "not-found", path.removesuffix("?email=a@b.c"))


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/version", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_another_method_is_405_with_allow(site: Service, path: str, method: str) -> None:
    answer = over_the_wire(site, method, path)
    assert_problem(answer, 405, "method-not-allowed", path)
    assert answer.values("allow") == ["GET, HEAD"]


@pytest.mark.parametrize(
    ("path", "allow"), [(COLLECTION, "GET, OPTIONS, POST"), (UNKNOWN_USER, "DELETE, GET, OPTIONS, PATCH, PUT")]
)
def test_another_method_on_users_is_405_with_allow(site: Service, path: str, allow: str) -> None:
    answer = over_the_wire(site, "BREW", path)
    assert_problem(answer, 405, "method-not-allowed", path)
    assert set(answer.values("allow")[0].split(", ")) - {"HEAD"} == set(allow.split(", "))


async def test_an_unexpected_exception_is_500_without_details() -> None:
    answer = await call(application(), "/boom")
    assert_problem(answer, 500, "internal-error", "/boom")
    for told in (SECRET, "redis", "RuntimeError", "Traceback", "users:0", "application.py", str(Path.cwd())):
        assert told.encode() not in answer.body


def test_a_site_has_codes_of_its_own_in_the_order_of_their_status(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [""] * 4
    kinds = {"late": Kind(503, *texts), "request-in-progress": Kind(409, *texts)}
    monkeypatch.setattr(problem, "KINDS", kinds)
    problem.register({"middle": Kind(412, *texts)})
    assert list(kinds) == ["request-in-progress", "middle", "late"]
    retry = [(b"retry-after", b"1")]
    assert [Problem(code).headers for code in kinds] == [retry, [], retry]
    assert Problem("late", "why").args == ("late", "why")


@pytest.mark.parametrize(
    ("error", "code", "status", "detail", "reason"),
    [
        (Problem("bad-upstream", "Shown.", reason="refused"), "bad-upstream", 502, "Shown.", "refused"),
        (Problem("email-taken", "Shown."), "email-taken", 409, "Shown.", "Shown."),
        (Refusal(503, "Too many."), OVERLOADED, 503, "Too many.", "overload"),
        (Refusal(431, "Too large."), "malformed-request", 431, "Too large.", "Too large."),
        (Http404(), "not-found", 404, "No resource has this path.", "No resource has this path."),
        (ParseError("No JSON."), "malformed-request", 400, "No JSON.", "No JSON."),
        (SuspiciousOperation(), "malformed-request", 400, "The request cannot be read.", ""),
        (KeyError("x"), "internal-error", 500, "The error is logged under this request ID.", "KeyError"),
    ],
    ids=str,
)
def test_each_exception_has_its_problem_and_its_reason_in_the_log(
    error: Exception, code: str, status: int, detail: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = request("/x")
    answer = response(asked, from_exception(error, asked.site))
    assert (answer.status_code, asked.code, asked.reason) == (status, code, reason)
    assert orjson.loads(answer.content)["detail"] == detail
    assert ((b"retry-after", b"1") in answer.raw_headers) == (status == 503)
    logged = [(record.message, record.exc_info and record.exc_info[1]) for record in caplog.records]
    assert logged == ([("unhandled exception", error)] if status == 500 else [])


def test_the_faults_of_a_serializer_are_one_list() -> None:
    found: Any = {
        "email": [ErrorDetail("No address.", "invalid"), ErrorDetail("Too long.", "max_length")],
        "tags": {"first": [ErrorDetail("Blank.", "blank")]},
        "non_field_errors": [ErrorDetail("No object.", "a code of a validator")],
    }
    problem = from_exception(ValidationError(found), request().site)
    assert (problem.code, problem.detail) == ("validation-error", "Some fields are not valid.")
    assert problem.errors == [
        {"field": "email", "code": "invalid", "detail": "No address."},
        {"field": "email", "code": "max_length", "detail": "Too long."},
        {"field": "first", "code": "blank", "detail": "Blank."},
        {"field": "", "code": "invalid", "detail": "No object."},
    ]
    (fault,) = from_exception(ValidationError(["No list."]), request().site).errors or []
    assert fault["field"] == ""


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/health", 405)])
def test_a_browser_in_dev_gets_a_page(debug_site: Served, path: str, status: int) -> None:
    answer = requests.post(debug_site.url + path, headers={"Accept": "text/html,*/*;q=0.8"}, timeout=10)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")
    assert answer.headers["x-request-id"] in answer.text
    assert "Traceback" not in answer.text


def test_a_program_in_dev_gets_the_problem(debug_site: Served) -> None:
    assert_problem(over_the_wire(debug_site, "GET", "/nowhere"), 404, "not-found", "/nowhere")


def test_a_browser_in_production_gets_the_problem(site: Service) -> None:
    answer = requests.get(site.url + "/nowhere", headers={"Accept": "text/html"}, timeout=10)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_problem_of_a_lost_dependency_hides_its_address(debug_site: Served) -> None:
    answer = requests.get(debug_site.url + UNKNOWN_USER, timeout=10)
    assert answer.status_code in {502, 503}
    assert answer.headers["content-type"] == "application/problem+json"
    assert "127.0.0.1" not in answer.text


def test_the_page_of_a_problem_escapes_what_a_client_sent(settings: Any) -> None:
    settings.DEBUG = True
    errors = [{"field": "<b>", "code": "invalid", "detail": "<script>"}]
    problem = Problem("validation-error", "<script>", errors=errors)
    text = response(request("/<i>", headers=((b"accept", b"text/html"),)), problem).content.decode()
    assert not re.search(r"<(script|b|i)>", text)
    assert text.count("&lt;script&gt;") == 2
    assert "&lt;b&gt;" in text
    assert f"<p>{KINDS['validation-error'].cure}</p>" in text
    assert re.findall(r"<dt>(\w+)</dt>", text) == ["type", "status", "instance", "code", "request_id"]
