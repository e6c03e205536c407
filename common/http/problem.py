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
    """One kind of problem, as the gateway's /problems and docs/reference/problems.md show it."""

    status: int
    title: str
    meaning: str
    cure: str
    retry: str


KINDS: dict[str, Kind] = {
    "validation-error": Kind(
        400,
        "The request is not valid",
        "A field is missing, of the wrong type, too long, unknown, or breaks a rule. `errors` lists each error.",
        "Correct the fields that `errors` names.",
        NO,
    ),
    "malformed-request": Kind(
        400,
        "The request cannot be read",
        "The request is not valid HTTP, its body is not valid JSON, or its Host is not accepted. The status is 414 if the URL "
        "is too long, 431 if the headers are too large.",
        "Send well-formed HTTP and JSON.",
        NO,
    ),
    "unauthenticated": Kind(
        401,
        "Credentials are missing or not valid",
        "The request has no credential, or an expired, unknown or unverifiable one. `WWW-Authenticate` lists what is accepted.",
        "Send a valid credential.",
        NO,
    ),
    "forbidden": Kind(
        403,
        "The credential does not allow this",
        "The credential is valid but lacks the scope that `detail` names, such as `users:write`.",
        "Use a credential with the scope named.",
        NO,
    ),
    "not-found": Kind(
        404,
        "There is nothing at this path",
        "No resource has this path. A path with a trailing slash is another path.",
        "Check the path; remove a trailing slash.",
        NO,
    ),
    "method-not-allowed": Kind(
        405,
        "The path does not have this method",
        "The path exists, but not with this method. `Allow` lists its methods.",
        "Use a method that `Allow` names.",
        NO,
    ),
    "body-too-large": Kind(
        413,
        "The body is too large",
        "The body is larger than `MAX_BODY_BYTES`; it was not read.",
        "Send a smaller body.",
        NO,
    ),
    "unsupported-media-type": Kind(
        415,
        "The body is not JSON",
        "Bodies are `application/json` (PATCH also `application/merge-patch+json`), in UTF-8.",
        "Send `Content-Type: application/json`.",
        NO,
    ),
    "too-many-requests": Kind(
        429,
        "Too many requests",
        "The limit in `RateLimit-Policy` is exhausted. `Retry-After` says when to retry.",
        "Slow down; retry after `Retry-After`.",
        "yes, later",
    ),
    "internal-error": Kind(
        500,
        "The service failed",
        "A bug, or a damaged record. The log has details under the `request_id`.",
        "Report the `request_id`.",
        IF_SAFE,
    ),
    "bad-upstream": Kind(
        502,
        "The service behind the gateway failed",
        "The gateway could not connect to the service, or its answer was cut off or was not HTTP.",
        "Retry if that is safe.",
        IF_SAFE,
    ),
    "upstream-unavailable": Kind(
        503,
        "The gateway cannot take this request now",
        "The gateway is overloaded, its circuit to the service is open, or the service is in maintenance. The request was not "
        "forwarded.",
        "Retry after `Retry-After`.",
        "yes, nothing was done",
    ),
    "upstream-timeout": Kind(
        504,
        "The service behind the gateway took too long",
        "The time for the whole request is exhausted. A change may have been made.",
        "Retry if that is safe.",
        IF_SAFE,
    ),
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

    `errors`: for status 400. `headers`: of the answer. `reason`: for the log only, from a closed set.
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
