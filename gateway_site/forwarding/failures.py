"""The client's problem for each failure of a request to an upstream."""

from math import ceil

from common.http.problem import Problem
from gateway_site.forwarding.circuit import CircuitOpen
from packages.http_pool import (
    BadAnswer,
    BodyTimeout,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    Outgoing,
    PoolFull,
    Untrusted,
    UpstreamError,
    UpstreamTimeout,
)

PROBLEMS: dict[type[UpstreamError], tuple[str, str]] = {
    BodyTimeout: ("upstream-timeout", "The request's body did not arrive in time."),
    UpstreamTimeout: ("upstream-timeout", "{0} did not answer in time."),
    ConnectTimeout: ("upstream-timeout", "{0} accepted no connection in time."),
    Untrusted: ("bad-upstream", "{0}'s certificate is not trusted."),
    ConnectFailed: ("bad-upstream", "{0} accepts no connection."),
    PoolFull: ("upstream-unavailable", "Too many requests wait for {1}."),
    CircuitOpen: ("upstream-unavailable", "{0} fails; requests to it are paused."),
    ConnectionReset: ("bad-upstream", "{0} closed the connection."),
    BadAnswer: ("bad-upstream", "{0}'s answer was broken."),
}
"""Code and detail; no text has a host or address."""

CHANGE_MAY_BE_MADE = " The change may have been made."


def problem_for(error: UpstreamError, request: Outgoing, subject: str) -> Problem:
    """The client's problem. Never claims that nothing was done after a change was sent."""
    code, text = PROBLEMS[type(error)]
    detail = text.format(subject, subject.lower())
    if error.sent and not request.is_safe and not isinstance(error, BodyTimeout):  # a partial body changes nothing
        detail += CHANGE_MAY_BE_MADE
    if isinstance(error, CircuitOpen):
        retry_after = (b"retry-after", b"%d" % max(1, ceil(error.seconds)))
        return Problem(code, detail, headers=[retry_after], reason=error.reason)
    return Problem(code, detail, reason=error.reason)
