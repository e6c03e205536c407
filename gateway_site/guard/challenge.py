"""Refusals with `WWW-Authenticate` by RFC 6750 §3. None repeats text of the client."""

import logging

from common.http.problem import Problem
from common.observability.notices import Notices
from gateway_site.guard.metrics import REFUSALS

REALM = 'Bearer realm="api"'

notices = Notices(logging.getLogger(__name__))


def missing() -> Problem:
    """401 without an error code, which is for requests with a credential (§3.1)."""
    REFUSALS.labels("missing").inc()
    return _problem("unauthenticated", "This needs a credential.", REALM)


def invalid(reason: str, description: str) -> Problem:
    """401; `reason` is the metric's word."""
    return _refuse("unauthenticated", reason, "invalid_token", description)


def ambiguous() -> Problem:
    """400 (§3.1, invalid_request)."""
    return _refuse("malformed-request", "ambiguous", "invalid_request", "More than one credential was sent")


def insufficient(scope: str) -> Problem:
    """403: a valid credential without this scope."""
    REFUSALS.labels("scope").inc()
    challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
    return _problem("forbidden", f"This needs the scope {scope}.", challenge)


def _refuse(code: str, reason: str, error: str, description: str) -> Problem:
    REFUSALS.labels(reason).inc()
    notices.warn("credentials refused", reason=reason)
    return _problem(code, f"{description}.", f'{REALM}, error="{error}", error_description="{description}"')


def _problem(code: str, detail: str, challenge: str) -> Problem:
    return Problem(code, detail, headers=[(b"www-authenticate", challenge.encode("ascii"))])
