"""The failures of a command.

PipeError
├── Unavailable     Redis cannot serve now: `reason`, `uncertain`
├── NotDurable      written, but not as durable as asked for
└── Refused         Redis answered with an error that is the caller's fault: `operation`, `code`

No text contains a password, a key, a value or the server's text, which quotes arguments.
"""

import ssl
from enum import StrEnum


class PipeError(Exception):
    """The base of all errors of this package."""


class Reason(StrEnum):
    """Why Redis is unavailable: a closed set, for metric labels."""

    # no connection
    REFUSED = "refused"  # no listener
    UNREACHABLE = "unreachable"  # no such host, no route, reset while connecting
    TLS = "tls"  # handshake failed or certificate not trusted
    AUTH = "auth"  # wrong or missing password, or an ACL that forbids the command
    REJECTED = "rejected"  # the server refused the set-up: unknown db, too many clients
    NO_PRIMARY = "no_primary"  # no sentinel names a live primary
    MOVED = "moved"  # the cluster's slot has another owner
    # a connection that failed
    TIMEOUT = "timeout"
    CLOSED = "closed"
    PROTOCOL = "protocol"  # malformed bytes, or a reply without a command
    QUEUE_FULL = "queue_full"
    # error replies about the server's state
    LOADING = "loading"
    READONLY = "readonly"
    MASTERDOWN = "masterdown"
    OOM = "oom"
    CLUSTERDOWN = "clusterdown"
    TRYAGAIN = "tryagain"  # the slot is being moved key by key
    MISCONF = "misconf"
    BUSY = "busy"
    NOREPLICAS = "noreplicas"
    EPOCH = "epoch"  # from our scripts: the data has another layout, or moves to another store


_STATES = "loading readonly masterdown oom clusterdown tryagain moved misconf busy noreplicas epoch"

# The first word of an error reply about the server's state.
UNAVAILABLE_REPLIES = {
    **{state.upper(): Reason(state) for state in _STATES.split()},
    **dict.fromkeys(("NOAUTH", "WRONGPASS", "NOPERM"), Reason.AUTH),
    "ASK": Reason.TRYAGAIN,
}


class Unavailable(PipeError):
    """Redis cannot serve now. `uncertain`: the command may have been executed, as its bytes were written and no reply came."""

    def __init__(self, reason: Reason, *, uncertain: bool = False) -> None:
        fate = "; the command may have been executed" if uncertain else ""
        super().__init__(f"Redis is unavailable ({reason}){fate}")
        self.reason = reason
        self.uncertain = uncertain


class NotDurable(PipeError):
    """The primary has the write in memory; whether it is as durable as required is unknown."""


class Refused(PipeError):
    """Redis answered `operation` with an error that only a bug of the caller explains; `code` is its first word."""

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"Redis refused {operation!r} with {code}")
        self.operation = operation
        self.code = code


class ErrorReply(Exception):
    """An error reply as parsed, of a connection's set-up. Its text is the server's: not for users."""


def error_from_reply(operation: str, text: str) -> PipeError:
    """The exception for an error reply, without the server's text."""
    code = text.partition(" ")[0]
    if reason := UNAVAILABLE_REPLIES.get(code):
        return Unavailable(reason)
    return Refused(operation, code if code.isalpha() and code.isupper() else "ERR")


def reason_of(error: BaseException, *, is_tls: bool = False) -> Reason:
    """Why opening a connection failed, from this exception or its cause."""
    if isinstance(error, Unavailable):
        return error.reason
    if isinstance(error, ErrorReply):
        text = str(error)
        is_about_auth = text.startswith("ERR") and "AUTH" in text
        return Reason.AUTH if is_about_auth else UNAVAILABLE_REPLIES.get(text.partition(" ")[0], Reason.REJECTED)
    if isinstance(error, TimeoutError):
        return Reason.TIMEOUT
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) or (is_tls and isinstance(cause, FileNotFoundError)):
            return Reason.TLS
        if isinstance(cause, (ConnectionRefusedError, FileNotFoundError)):
            return Reason.REFUSED
        if isinstance(cause, OSError):
            return Reason.UNREACHABLE
        cause = cause.__cause__ or cause.__context__
    return Reason.CLOSED
