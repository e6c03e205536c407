"""One line of the logger `audit` for each write: caller, action, user, address, result.

Logged at every LOG_LEVEL (settings.py); the request ID joins it to the access line.
"""

import logging
from collections.abc import Coroutine
from typing import Any

from common.http import problems
from common.http.request import ClientGone, Request
from common.http.response import Response

logger = logging.getLogger("audit")

ACTIONS = {"POST": "create_user", "PUT": "replace_user", "PATCH": "update_user", "DELETE": "delete_user"}

CLIENT_GONE = 499
UNKNOWN = frozenset({CLIENT_GONE, 502, 504})
"""The write may have happened: no answer of the user service reached the gateway, or none the client."""

MAX_ID = 64


async def recorded(request: Request, answering: Coroutine[Any, Any, Response]) -> Response:
    """Awaits the answer to a write and logs it, whatever the outcome."""
    status, location = CLIENT_GONE, None
    try:
        response = await answering
        status, location = response.status_code, dict(getattr(response, "raw_headers", ())).get(b"location")
        return response
    except ClientGone:
        raise
    except Exception as error:
        status = problems.from_exception(error, request.site).status
        raise
    finally:
        _log(request, status, location)


def _log(request: Request, status: int, location: bytes | None) -> None:
    fields = {
        "action": ACTIONS.get(request.method or "", "other"),
        "principal": request.principal,
        "user_id": _user_id(request, location),
        "remote_addr": request.remote_addr,
        "status_code": status,
        "result": _result(status),
    }
    logger.info("write", extra={"fields": fields})


def _result(status: int) -> str:
    if status in UNKNOWN:
        return "unknown"
    if status < 400:
        return "done"
    return "refused" if status < 500 else "failed"


def _user_id(request: Request, location: bytes | None) -> str | None:
    """The user in the path, as the client sent it; of a new user the one in Location."""
    if request.method != "POST":
        _, _, tail = request.path.partition("/users/")
        return tail[:MAX_ID] or None
    return location.rpartition(b"/")[2].decode("latin-1") if location else None
