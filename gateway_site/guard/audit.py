"""One line of the logger `audit` for each write: caller, method, resource, address, result.

Logged at every LOG_LEVEL (settings.py). Access line and audit line have the same request ID.
"""

import logging
from collections.abc import Coroutine
from typing import Any

from common.http.problem import Problem
from common.http.request import CLIENT_CLOSED_REQUEST, ClientGone, Request
from common.http.response import RawResponse

logger = logging.getLogger("audit")

MOST_CHARACTERS = 200


async def recorded(request: Request, answering: Coroutine[Any, Any, RawResponse]) -> RawResponse:
    """Awaits the answer to a write and logs the outcome, also of a failure."""
    status, location = CLIENT_CLOSED_REQUEST, None
    try:
        response = await answering
        status, location = response.status_code, dict(response.raw_headers).get(b"location")
        return response
    except ClientGone:
        raise
    except Exception as error:
        status = error.status if isinstance(error, Problem) else 500
        raise
    finally:
        _log(request, status, location)


def _log(request: Request, status: int, location: bytes | None) -> None:
    resource = location.decode("latin-1") if location is not None and status == 201 else request.client_path
    fields = {
        "method": request.method,
        "resource": resource[:MOST_CHARACTERS],
        "principal": request.principal,
        "remote_addr": request.remote_addr,
        "status_code": status,
        "result": _result(status),
    }
    logger.info("write", extra={"fields": fields})


def _result(status: int) -> str:
    if status < 400:
        return "done"
    # After 499 and 5xx the change may have been made: the upstream's 503 can follow a write that no replica confirmed.
    return "refused" if status < CLIENT_CLOSED_REQUEST else "unknown"
