"""Checks of an answer against the contract; a failure is one line."""

from typing import Any

import requests

PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "code", "request_id"}


class ContractViolation(Exception):
    """An answer breaks the contract. `status`: of an answer with another status than the expected one."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


def require(condition: object, text: str) -> None:
    """Raises ContractViolation unless `condition` holds."""
    if not condition:
        raise ContractViolation(text)


def require_status(answer: requests.Response, status: int) -> None:
    """Raises ContractViolation, with code and request ID of a problem."""
    if answer.status_code == status:
        return
    problem = as_object(answer)
    more = f", {problem['code']}, request_id {problem.get('request_id')}" if "code" in problem else ""
    raise ContractViolation(f"{answer.status_code} in place of {status}{more}", answer.status_code)


def require_problem(answer: requests.Response, status: int, code: str, path: str) -> dict[str, Any]:
    """The problem document. Raises ContractViolation."""
    require_status(answer, status)
    kind = answer.headers.get("Content-Type", "")
    require(kind.startswith("application/problem+json"), f"Content-Type is {kind!r}, not application/problem+json")
    problem = as_object(answer)
    missing = PROBLEM_MEMBERS - problem.keys()
    require(not missing, f"the problem has no {', '.join(sorted(missing))}")
    require(problem["code"] == code, f"code is {problem['code']!r}, not {code!r}")
    require(problem["status"] == status, f"the problem's status is {problem['status']}, not {status}")
    require(problem["instance"] == path, f"instance is {problem['instance']!r}, not {path!r}")
    identity = answer.headers.get("X-Request-ID")
    require(problem["request_id"] == identity, "request_id is not the X-Request-ID")
    return problem


def as_object(answer: requests.Response) -> dict[str, Any]:
    """The answer's JSON object; an empty one for any other body."""
    try:
        value = answer.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def reason(error: requests.RequestException) -> str:
    """Why there was no answer, without the URL, which may hold credentials."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate is not trusted, or there is no TLS"
    if isinstance(error, requests.ConnectionError):
        return "no connection: refused, reset, or no such host"
    return type(error).__name__
