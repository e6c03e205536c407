"""Why a connection could not be opened: redis-py's and the socket's exceptions as one of ours."""

import ssl

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from packages.redis_pipe.address import Address
from users_site.repository.errors import UNAVAILABLE_REPLIES, Reason

# In the order of redis-py's tree: the narrow before the wide.
_REASONS: tuple[tuple[tuple[type[BaseException], ...], Reason], ...] = (
    ((exceptions.BusyLoadingError,), Reason.LOADING),
    (
        (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError),
        Reason.AUTH,
    ),
    ((MasterNotFoundError,), Reason.NO_PRIMARY),
    ((TimeoutError, exceptions.TimeoutError), Reason.TIMEOUT),
    ((exceptions.InvalidResponse,), Reason.PROTOCOL),
)


def reason_of(error: BaseException, address: Address) -> Reason:
    """Why opening a connection to `address` failed."""
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return reason
    if isinstance(error, exceptions.ResponseError):
        return UNAVAILABLE_REPLIES.get(reply_of(error).partition(" ")[0], Reason.REJECTED)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) or (address.is_tls and isinstance(cause, FileNotFoundError)):
            return Reason.TLS
        if isinstance(cause, (ConnectionRefusedError, FileNotFoundError)):
            return Reason.REFUSED
        if isinstance(cause, OSError):
            return Reason.UNREACHABLE
        cause = cause.__cause__ or cause.__context__
    return Reason.CLOSED


def reply_of(error: exceptions.ResponseError) -> str:
    """The error reply as the server sent it: redis-py takes the codes that it knows off the text."""
    return f"{error.status_code} {error}" if error.status_code else str(error)
