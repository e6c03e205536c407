"""The problems that only users have."""

from common.http.problem import IF_SAFE, NO, Kind

KINDS = {
    "user-not-found": Kind(404, "There is no such user", "Check the id; the user may have been deleted.", NO),
    "email-taken": Kind(409, "Another user has this email", "Use another email, or change that user.", NO),
    "request-in-progress": Kind(
        409, "A request with this Idempotency-Key is in flight", "Retry after `Retry-After`.", "yes, unchanged"
    ),
    "precondition-failed": Kind(
        412, "The user is at another version", "Read it again, merge, and retry with the new ETag.", "after a read"
    ),
    "idempotency-key-reused": Kind(
        422, "This Idempotency-Key was used with another body", "Use a fresh key for a new request.", NO
    ),
    "store-unavailable": Kind(503, "The store does not answer", "Retry after `Retry-After`.", IF_SAFE),
}
