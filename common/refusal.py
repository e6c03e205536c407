"""What the server's parser refuses is answered with a problem too, counted and logged, before there is a request."""

import logging
from dataclasses import dataclass

import orjson

from common import metrics, problems
from common.request import UNMATCHED

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """As much of the request as could be read."""

    method: str
    path: str
    request_id: str
    remote_addr: str | None


def answer(refused: Refused, status: int, reason_phrase: str) -> tuple[bytes, bytes]:
    """The answer's head, and the problem."""
    code = "malformed-request" if status < 500 else "internal-error"
    problem = problems.Problem(code, "The server's HTTP parser refused the request.")
    body = orjson.dumps({**problems.document(problem, refused.path, refused.request_id), "status": status})
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
