"""What the server's parser refuses is answered with a problem too, counted and logged, before there is a request."""

import logging
import re
from dataclasses import dataclass
from typing import Any

import orjson

from common.http import problems, request_id
from common.http.request import UNMATCHED
from common.observability import metrics

logger = logging.getLogger(__name__)

_request_line = re.compile(rb"([A-Z]{1,20}) (/[!->@-~]*)[ ?]").match
_request_id = re.compile(rb"^x-request-id:[ \t]*([A-Za-z0-9._-]{1,128})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE).search


@dataclass(frozen=True, slots=True)
class Refused:
    """As much of the request as could be read."""

    method: str
    path: str
    request_id: str
    remote_addr: str | None


def read(parser: Any, remote_addr: str | None) -> Refused:
    """What gunicorn's parser made of the request before it refused it; what it had not come to is told from the bytes."""
    method, path, given = parser.method, parser.path, dict(parser._headers_list).get(request_id.HEADER)
    if not parser.headers:  # refused before the end of the head
        rest = bytes(parser._buffer).partition(b"\r\n\r\n")[0]
        if path is None and (line := _request_line(rest)):
            method, path = line.groups()
        if given is None and (field := _request_id(rest)):
            given = field[1]
    return Refused(
        method=(method or b"OTHER").decode("latin-1"),
        path=(path or b"").decode("latin-1").partition("?")[0],
        request_id=request_id.choose(given),
        remote_addr=remote_addr,
    )


def answer(refused: Refused, status: int, reason_phrase: str) -> tuple[bytes, bytes]:
    """The answer's head, and the problem."""
    code = "malformed-request" if status < 500 else "internal-error"
    problem = problems.Problem(code, "The server's HTTP parser refused the request.")
    document = {**problems.document(problem, refused.path, refused.request_id), "status": status}
    if status != 400:
        document.pop("errors", None)
    body = orjson.dumps(document)
    head = (
        f"HTTP/1.1 {status} {reason_phrase}\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-ID: {refused.request_id}\r\n"
        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1"), body


def record(refused: Refused, status: int, sent: int, why: str) -> None:
    """Counts it, and logs it with the fields of an access line. `why` may quote the request: the log alone gets it."""
    metrics.observe(refused.method, UNMATCHED, status, 0.0)
    fields = {
        "request_id": refused.request_id,
        "method": refused.method,
        "path": refused.path,
        "route": UNMATCHED,
        "status_code": status,
        "duration_ms": 0.0,
        "user_agent": None,
        "remote_addr": refused.remote_addr,
        "bytes_sent": sent,
        "reason": why[:200],
    }
    logger.info("request refused by the parser", extra={"fields": fields})
