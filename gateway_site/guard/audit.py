"""One line of the logger `audit` for each write that was asked for: who, what, which user, from where, with what result.

It is written at every LOG_LEVEL (settings.py); the request's ID joins it to the access line.
"""

import logging

from common.http.request import Request
from common.http.response import RawResponse

logger = logging.getLogger("audit")

ACTIONS = {"POST": "create_user", "PUT": "replace_user", "PATCH": "update_user", "DELETE": "delete_user"}

UNKNOWN = frozenset({499, 502, 504})
"""No answer of the user service reached us or the client: the write may have happened."""

MAX_ID = 64


def record(request: Request, response: RawResponse | None) -> None:
    """Logs one write; None: the client left before there was an answer."""
    status = 499 if response is None else response.status_code
    fields = {
        "action": ACTIONS.get(request.method or "", "other"),
        "principal": request.principal,
        "user_id": user_id(request, response),
        "remote_addr": request.remote_addr,
        "status_code": status,
        "result": result(status),
    }
    logger.info("write", extra={"fields": fields})


def result(status: int) -> str:
    """`done`, `refused`, `failed`, or `unknown`: it may have been done."""
    if status in UNKNOWN:
        return "unknown"
    if status < 400:
        return "done"
    return "refused" if status < 500 else "failed"


def user_id(request: Request, response: RawResponse | None) -> str | None:
    """The user in the path, as the client wrote it; of a new one in its Location."""
    if request.method != "POST":
        _, _, tail = request.path.partition("/users/")
        return tail[:MAX_ID] or None
    location = dict(response.raw_headers).get(b"location") if response is not None else None
    return location.rpartition(b"/")[2].decode("latin-1") if location else None
