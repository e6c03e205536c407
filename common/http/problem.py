"""Every error of either service: an exception with a code, and the RFC 9457 object that clients get.

The codes are a closed set. The general ones are here; users_contract registers those of users.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.http.response import Headers

NO = "no"
IF_SAFE = "yes if idempotent or with an Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its HTTP status, its title, and what the client should do."""

    status: int
    title: str
    cure: str
    retry: str


KINDS: dict[str, Kind] = {
    "validation-error": Kind(400, "The request is not valid", "Correct the fields that `errors` names.", NO),
    "malformed-request": Kind(400, "The request cannot be read", "Send well-formed HTTP and JSON.", NO),
    "unauthenticated": Kind(401, "Credentials are missing or not valid", "Send a valid credential.", NO),
    "forbidden": Kind(403, "The credential does not allow this", "Use a credential with the scope named.", NO),
    "not-found": Kind(404, "There is nothing at this path", "Check the path; there is no trailing slash.", NO),
    "method-not-allowed": Kind(405, "The path does not have this method", "Use a method that `Allow` names.", NO),
    "body-too-large": Kind(413, "The body is too large", "Send a smaller body.", NO),
    "unsupported-media-type": Kind(415, "The body is not JSON", "Send `Content-Type: application/json`.", NO),
    "too-many-requests": Kind(429, "Too many requests", "Slow down; retry after `Retry-After`.", "yes, later"),
    "internal-error": Kind(500, "The service failed", "Report the `request_id`.", IF_SAFE),
    "bad-upstream": Kind(502, "The service behind the gateway failed", "Retry if that is safe.", IF_SAFE),
    "upstream-unavailable": Kind(
        503, "The gateway cannot take this request now", "Retry after `Retry-After`.", "yes, nothing was done"
    ),
    "upstream-timeout": Kind(504, "The service behind the gateway took too long", "Retry if that is safe.", IF_SAFE),
}

FIELD_CODES = (
    "blank",
    "control",
    "invalid",
    "invalid_choice",
    "max_length",
    "max_value",
    "min_value",
    "null",
    "read_only",
    "required",
    "unknown",
)
"""The codes in `errors`. A validator's other codes become `invalid`."""

RETRY_AFTER: Headers = [(b"retry-after", b"1")]


def register(kinds: Mapping[str, Kind]) -> None:
    """Adds a site's own codes, in the order of their status."""
    merged = sorted({**KINDS, **kinds}.items(), key=lambda item: item[1].status)
    KINDS.clear()
    KINDS.update(merged)


class Problem(Exception):
    """An error with a code of `KINDS`, and its status unless another is given.

    `errors` as in the contract; `headers` go out with the answer; `reason` is for the log only, a word of a closed set.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Headers | None = None,
        reason: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(code, detail)
        self.status = status or KINDS[code].status
        self.code, self.detail, self.errors, self.reason = code, detail, errors, reason
        is_temporary = self.status == 503 or code == "request-in-progress"
        self.headers = headers or (RETRY_AFTER if is_temporary else [])


def document(problem: Problem, path: str, request_id: str) -> dict[str, Any]:
    """The RFC 9457 object. `path` is the one that the client requested."""
    kind = KINDS[problem.code]
    body: dict[str, Any] = {
        "type": f"/problems#{problem.code}",
        "title": kind.title,
        "status": problem.status,
        "detail": problem.detail or kind.title + ".",
        "instance": path,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.status == 400:
        body["errors"] = problem.errors or []
    return body
