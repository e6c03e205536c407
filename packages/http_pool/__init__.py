"""The gateway's only outbound connection: a keep-alive HTTP/1.1 client for one origin. Knows no Django."""

from ._answer import Answer
from ._pool import Stats
from ._upstream import Upstream
from .errors import (
    BadAnswer,
    BodyTimeout,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    PoolFull,
    UpstreamError,
    UpstreamTimeout,
)

__all__ = [
    "Answer",
    "BadAnswer",
    "BodyTimeout",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionReset",
    "PoolFull",
    "Stats",
    "Upstream",
    "UpstreamError",
    "UpstreamTimeout",
]
