"""What the repository raises; nothing of redis-py crosses this line.

RepositoryError
├── UserNotFound              no such user                                     404
├── EmailTaken                another user holds the email                     409
├── VersionMismatch           the stored bytes are not those of If-Match       412
├── IdempotencyKeyReused      the key was used for another request             422
├── StoreUnavailable          Redis cannot serve now: `reason`, `uncertain`    503
├── NotDurable                written, but not as durable as asked for         503
└── StoreError                Redis refused our command: a bug of ours         500

Absent is not unreachable: only `UserNotFound` says that a user does not exist.
No text holds a password, a key, a value or the server's own words (they quote our arguments).
"""

from enum import StrEnum


class RepositoryError(Exception):
    """Anything the repository raises."""


class UserNotFound(RepositoryError):
    """There is no user with this id."""


class EmailTaken(RepositoryError):
    """Another user has this email; `replayed`: it had when the Idempotency-Key was first used."""

    def __init__(self, *, replayed: bool = False) -> None:
        super().__init__()
        self.replayed = replayed


class VersionMismatch(RepositoryError):
    """The user has changed since the version that the caller named."""


class IdempotencyKeyReused(RepositoryError):
    """The idempotency key belongs to a request with another content."""


class Reason(StrEnum):
    """Why the store is unavailable: a closed set, fit for a metric label."""

    # no connection
    REFUSED = "refused"  # nobody listens
    UNREACHABLE = "unreachable"  # no such host, no route, reset while connecting
    TLS = "tls"  # handshake failed or certificate not trusted
    AUTH = "auth"  # wrong or missing password, or an ACL that forbids the command
    REJECTED = "rejected"  # the server refused the set-up: unknown db, too many clients
    NO_PRIMARY = "no_primary"  # no sentinel answered, or none knows a live primary
    MOVED = "moved"  # the users' slot of the cluster has another owner
    # a connection that failed us
    TIMEOUT = "timeout"
    CLOSED = "closed"
    PROTOCOL = "protocol"  # bytes that are no reply, or a reply nobody asked for
    QUEUE_FULL = "queue_full"  # too many commands wait already
    # what the server said
    LOADING = "loading"
    READONLY = "readonly"
    MASTERDOWN = "masterdown"
    OOM = "oom"
    CLUSTERDOWN = "clusterdown"
    TRYAGAIN = "tryagain"  # the users' slot is being moved key by key
    MISCONF = "misconf"
    BUSY = "busy"
    NOREPLICAS = "noreplicas"


# The first word of an error reply that speaks of the server's state, not of our command.
UNAVAILABLE_REPLIES = {
    "LOADING": Reason.LOADING,
    "READONLY": Reason.READONLY,
    "MASTERDOWN": Reason.MASTERDOWN,
    "OOM": Reason.OOM,
    "CLUSTERDOWN": Reason.CLUSTERDOWN,
    "TRYAGAIN": Reason.TRYAGAIN,
    "ASK": Reason.TRYAGAIN,
    "MOVED": Reason.MOVED,
    "MISCONF": Reason.MISCONF,
    "BUSY": Reason.BUSY,
    "NOREPLICAS": Reason.NOREPLICAS,
    "NOAUTH": Reason.AUTH,
    "WRONGPASS": Reason.AUTH,
    "NOPERM": Reason.AUTH,
}


class StoreUnavailable(RepositoryError):
    """Redis cannot serve now.

    `uncertain` is True when the command may have been executed: its bytes were written and no reply came.
    """

    def __init__(self, reason: Reason, *, uncertain: bool = False) -> None:
        fate = "; the command may have been executed" if uncertain else ""
        super().__init__(f"Redis is unavailable ({reason}){fate}")
        self.reason = reason
        self.uncertain = uncertain


class NotDurable(RepositoryError):
    """The write was made in the memory of the primary; that it reached what `DURABILITY` asks for is not known."""


class StoreError(RepositoryError):
    """Redis answered `operation` with an error that only a bug of ours explains; `code` is its first word."""

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"Redis refused {operation!r} with {code}")
        self.operation = operation
        self.code = code


def error_from_reply(operation: str, text: str) -> RepositoryError:
    """The exception for an error reply, without the server's words."""
    code = text.partition(" ")[0]
    if reason := UNAVAILABLE_REPLIES.get(code):
        return StoreUnavailable(reason)
    return StoreError(operation, code if code.isalpha() and code.isupper() else "ERR")
