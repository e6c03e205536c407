"""Standard output: one JSON object a line from the first to the last, one access line a request."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.log_lines import access_lines, lines
from tests.site import COLLECTION, IS_GATEWAY, NOWHERE, SITE, UNKNOWN_USER
from tests.wire import exchange, get
from tools.processes.service import Service, service

ALWAYS = {"timestamp", "level", "service", "version", "message", "logger"}
ACCESS = {"method", "path", "route", "status_code", "duration_ms", "user_agent", "remote_addr", "bytes_sent"}
ROUTE = UNKNOWN_USER.rpartition("/")[0] + "/{id}"
PASSWORD = "never-to-be-seen-password"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service that was started, asked, failed a request and stopped, with everything logged."""
    folder = tmp_path_factory.mktemp("ended")
    settings = {
        **NOWHERE,
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1",
        "SECRET_KEY": PASSWORD,
        "LOG_LEVEL": "debug",
    }
    with service(SITE, folder, **settings) as running:
        for path in ("/health/live", "/nowhere", UNKNOWN_USER, f"{COLLECTION}?email={PASSWORD}@example.com"):
            requests.get(running.url + path, headers={"Authorization": f"Bearer {PASSWORD}"}, timeout=10)
        exchange(running.port, f"GET /?email={PASSWORD}@x HTTP/9\r\nAuthorization: {PASSWORD}\r\n\r\n".encode())
        running.stop()
    return running


def test_every_line_from_first_to_last_is_a_json_object_with_the_fields(ended: Service) -> None:
    logged = lines(ended)
    assert len(logged) > 8
    assert "Starting gunicorn" in "".join(line["message"] for line in logged[:2])
    assert logged[-1]["message"] == "Shutting down: Master"
    for line in logged:
        assert line.keys() >= ALWAYS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
        assert line["level"] in {"debug", "info", "warning", "error", "critical"}
        assert line["service"] == ("api-gateway" if IS_GATEWAY else "user-service")
        assert "\n" not in line["logger"]


def test_standard_error_stays_empty(ended: Service) -> None:
    assert ended.errors.read_text() == ""


def test_no_secret_is_in_any_line(ended: Service) -> None:
    assert PASSWORD.encode() not in ended.log.read_bytes()


def test_a_request_has_one_access_line_with_all_fields(patient: Service) -> None:
    headers = {"X-Request-ID": "one-line", "User-Agent": "an agent/1.0"}
    answer = requests.get(f"{patient.url}{UNKNOWN_USER}?limit=1", headers=headers, timeout=10)
    (line,) = access_lines(patient, "one-line")
    assert line.keys() == ALWAYS | ACCESS | {"request_id"}
    assert line["duration_ms"] > 0
    assert {name: line[name] for name in ACCESS - {"duration_ms"}} == {
        "method": "GET",
        "path": UNKNOWN_USER,
        "route": ROUTE,
        "status_code": answer.status_code,
        "user_agent": "an agent/1.0",
        "remote_addr": "127.0.0.1",
        "bytes_sent": len(answer.content),
    }
    assert (line["level"], line["logger"]) == ("info", "access")


@pytest.mark.parametrize(
    ("method", "path", "fields", "route", "status"),
    [
        ("GET", "/nowhere", [], "unmatched", 404),
        ("BREW", "/version", [], "/version", 405),
        ("GET", "http://example.com/version", [], "unmatched", 400),
        ("HEAD", "/version", [], "/version", 200),
        ("GET", "/version", ["Content-Length: 1", "Transfer-Encoding: chunked"], "unmatched", 400),
        ("GET", "/version", ["X-A: a\0b"], "unmatched", 400),
        ("GET", "/version", ["X-A: " + "a" * 9000], "unmatched", 431),
        ("GET", "/version", ["Content-Length: " + "9" * 5000], "unmatched", 400),
    ],
)
def test_every_kind_of_request_has_one(
    patient: Service, method: str, path: str, fields: list[str], route: str, status: int
) -> None:
    name = str(uuid4())
    exchange(patient.port, get(path, *fields, f"X-Request-ID: {name}", method=method), method)
    (line,) = access_lines(patient, name)
    assert line.keys() >= ALWAYS | ACCESS | {"request_id"}
    assert (line["method"], line["path"]) == (method, path.removeprefix("http://example.com"))
    assert (line["route"], line["status_code"]) == (route, status)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/metrics"])
def test_probes_are_logged_at_debug(patient: Service, path: str) -> None:
    name = "probe" + path.replace("/", "-")
    requests.get(patient.url + path, headers={"X-Request-ID": name}, timeout=10)
    (line,) = access_lines(patient, name)
    assert line["level"] == "debug"


def test_probes_are_not_logged_at_info(site: Service) -> None:
    for path in ("/health/live", "/metrics", "/version"):
        requests.get(site.url + path, headers={"X-Request-ID": "quiet"}, timeout=10)
    assert [line["path"] for line in access_lines(site, "quiet")] == ["/version"]


def test_at_level_warn_the_start_and_every_5xx_are_logged(tmp_path: Path) -> None:
    with service(SITE, tmp_path, **NOWHERE, LOG_LEVEL="warn", SECRET_KEY="hunter2-" * 4) as running:
        for path in ("/version", "/nowhere", "/health/ready", UNKNOWN_USER):
            requests.get(f"{running.url}{path}", timeout=10)
        running.stop()
    start, *others = lines(running)
    assert (start["level"], start["message"], start["port"]) == ("info", "started", running.port)
    assert start.keys() >= {"version", "max_in_flight", "max_body_bytes", "drain_seconds", "traces"}
    assert "hunter2" not in running.log.read_text()
    (failed,) = [line for line in others if line["logger"] == "access"]
    assert (failed["path"], failed["level"]) == (UNKNOWN_USER, "error")
    assert failed["status_code"] in {502, 503}
    assert (failed["code"], bool(failed["reason"])) == ("bad-upstream" if IS_GATEWAY else "store-unavailable", True)
    assert {line["level"] for line in others} <= {"warning", "error"}
