"""The refusals, with `WWW-Authenticate` as RFC 6750 §3 has it. Nothing of what the client sent is in one."""

from common.http.problem import Problem
from gateway_site.guard.metrics import refused

REALM = 'Bearer realm="api"'


def missing() -> Problem:
    """401: no credential. Without an error code, which is for those who tried (§3.1)."""
    refused("missing")
    return _problem("unauthenticated", "This needs a credential.", REALM)


def invalid(reason: str, description: str) -> Problem:
    """401: a credential that is not good. `reason`: the metrics' word for it."""
    refused(reason)
    challenge = f'{REALM}, error="invalid_token", error_description="{description}"'
    return _problem("unauthenticated", f"{description}.", challenge)


def ambiguous(description: str) -> Problem:
    """400: more than one credential (§3.1, invalid_request)."""
    refused("ambiguous")
    challenge = f'{REALM}, error="invalid_request", error_description="{description}"'
    return _problem("malformed-request", f"{description}.", challenge)


def insufficient(scope: str) -> Problem:
    """403: a good credential without this scope."""
    refused("scope")
    return _problem(
        "forbidden", f"This needs the scope {scope}.", f'{REALM}, error="insufficient_scope", scope="{scope}"'
    )


def _problem(code: str, detail: str, challenge: str) -> Problem:
    return Problem(code, detail, headers=[(b"www-authenticate", challenge.encode("ascii"))])
