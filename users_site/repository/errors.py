"""The repository's errors. Errors of the pipe and of redis-py become one of these.

RepositoryError
├── UserNotFound              no such user                                     404
├── EmailTaken                another user has the email                       409
├── VersionMismatch           the stored bytes are not those of If-Match       412
├── IdempotencyKeyReused      the key was used for another request             422
├── RecordBroken              the stored bytes are not a user                  500
├── StoreUnavailable          Redis cannot serve now: `reason`, `uncertain`    503
│   ├── Busy                  other clients were first each time
│   └── WrongLayout           the store was made with other partitions
├── RequestInProgress         the Idempotency-Key's first request is running   409
├── NotDurable                written, but not as durable as required          503
└── StoreError                Redis refused our command: a bug of ours         500

Only `UserNotFound` means that a user does not exist. No text contains a password, a key, a value or the server's text,
which quotes our arguments.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from packages import redis_pipe
from packages.redis_pipe import Reason


class RepositoryError(Exception): ...


class UserNotFound(RepositoryError): ...


class EmailTaken(RepositoryError):
    """`replayed`: this is the first answer to the Idempotency-Key, repeated."""

    def __init__(self, *, replayed: bool = False) -> None:
        super().__init__()
        self.replayed = replayed


class VersionMismatch(RepositoryError): ...


class IdempotencyKeyReused(RepositoryError): ...


class RecordBroken(RepositoryError): ...


class StoreUnavailable(RepositoryError):
    """With `uncertain` the command may have been executed."""

    def __init__(self, reason: Reason, *, uncertain: bool = False) -> None:
        super().__init__(str(redis_pipe.Unavailable(reason, uncertain=uncertain)))
        self.reason = reason
        self.uncertain = uncertain


class Busy(StoreUnavailable):
    def __init__(self) -> None:
        super().__init__(Reason.BUSY)


class WrongLayout(StoreUnavailable):
    def __init__(self, ours: str, theirs: str) -> None:
        super().__init__(Reason.EPOCH)
        self.args = (f"PARTITIONS is {ours}, but the store was made with {theirs}: set PARTITIONS={theirs}",)


class RequestInProgress(RepositoryError):
    """It may run for `seconds` more."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class NotDurable(RepositoryError):
    """The write was made in the memory of the primary; whether it is as durable as `DURABILITY` requires is unknown."""


class StoreError(RepositoryError):
    """Redis's error for `operation`; `code` is its first word."""

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"Redis refused {operation!r} with {code}")
        self.operation = operation
        self.code = code


@contextmanager
def undecided() -> Iterator[None]:
    """Wraps a step before the deciding one: if it fails, the change was not made."""
    try:
        yield
    except NotDurable as error:
        raise StoreUnavailable(Reason.TIMEOUT) from error
    except StoreUnavailable as error:
        if not error.uncertain:
            raise
        raise StoreUnavailable(error.reason) from error


def from_pipe(error: redis_pipe.PipeError) -> RepositoryError:
    match error:
        case redis_pipe.Unavailable():
            return StoreUnavailable(error.reason, uncertain=error.uncertain)
        case redis_pipe.Refused():
            return StoreError(error.operation, error.code)
    return NotDurable()
