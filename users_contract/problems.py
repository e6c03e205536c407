"""The problems of users."""

from common.http.problem import IF_SAFE, NO, Kind

KINDS = {
    "user-not-found": Kind(
        404,
        "There is no such user",
        "No user has this ID: it never existed, was deleted, or is not a UUID.",
        "Check the ID; the user may have been deleted.",
        NO,
    ),
    "email-taken": Kind(
        409,
        "Another user has this email",
        "Emails are unique regardless of case.",
        "Use another email, or change that user.",
        NO,
    ),
    "request-in-progress": Kind(
        409,
        "A request with this Idempotency-Key is in flight",
        "Another request with this `Idempotency-Key` has not been answered yet.",
        "Retry after `Retry-After`.",
        "yes, unchanged",
    ),
    "precondition-failed": Kind(
        412,
        "The user is at another version",
        "`If-Match` names a version that is not current: another client changed the user after you read it.",
        "Read it again, merge, and retry with the new ETag.",
        "after a read",
    ),
    "idempotency-key-reused": Kind(
        422,
        "This Idempotency-Key was used with another body",
        "A request with this `Idempotency-Key` and another body was made within the last 24 hours.",
        "Use a fresh key for a new request.",
        NO,
    ),
    "store-unavailable": Kind(
        503,
        "The store does not answer",
        "Redis is down, loading, read-only, full or too slow. `detail` says whether a change may have been made.",
        "Retry after `Retry-After`.",
        IF_SAFE,
    ),
}
