"""A keep-alive HTTP/1.1 client for one origin, on asyncio and httptools."""

from ._answer import Answer
from ._errors import (
    BadAnswer,
    BodyTimeout,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    InvalidRequest,
    PoolFull,
    Untrusted,
    UpstreamError,
    UpstreamTimeout,
)
from ._pool import Limits
from ._request import Outgoing
from ._upstream import Upstream

__all__ = [
    "Answer",
    "BadAnswer",
    "BodyTimeout",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionReset",
    "InvalidRequest",
    "Limits",
    "Outgoing",
    "PoolFull",
    "Untrusted",
    "Upstream",
    "UpstreamError",
    "UpstreamTimeout",
]
