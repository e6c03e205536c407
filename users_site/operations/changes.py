"""The keys that clients write, from the server's invalidations (CLIENT TRACKING … BCAST, Redis 6).

The server sends an invalidation before it answers the write.
"""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from users_site.operations.bulk import Bulk
from users_site.repository.errors import RepositoryError

_CHANNEL = "__redis__:invalidate"
_END = b"end"
REPLY_SECONDS = 10.0


class ChangesMissed(RepositoryError):
    """A connection was lost or the store emptied: invalidations may be missing."""


class Changes:
    """Collects the keys of one server under some prefixes from now on. Every method may raise StoreUnavailable, StoreError."""

    def __init__(self, bulk: Bulk, client: Redis, prefixes: Sequence[str]) -> None:
        self._bulk = bulk
        with bulk.errors("follow"):
            self._tracker: Any = client.client()  # type: ignore[no-untyped-call]
            self._subscriber: Any = client.pubsub()  # type: ignore[no-untyped-call]
            self._subscriber.execute_command("CLIENT", "ID")
            own_id = self._subscriber.parse_response()
            self._subscriber.subscribe(_CHANNEL)
            self._subscriber.get_message(timeout=REPLY_SECONDS)  # the confirmation
            words = [word for prefix in prefixes for word in ("PREFIX", prefix)]
            self._tracker.execute_command("CLIENT", "TRACKING", "ON", "REDIRECT", own_id, "BCAST", *words)

    def take(self) -> set[bytes]:
        """The keys of every write that was answered between the last call and this one. Raises ChangesMissed."""
        found: set[bytes] = set()
        with self._bulk.errors("follow"):
            _, flags, *_ = self._tracker.execute_command("CLIENT", "TRACKINGINFO")
            if b"on" not in flags or b"broken_redirect" in flags:
                raise ChangesMissed("the connection that reports writes was lost: run the command again")
            self._subscriber.ping(_END)  # its reply comes after the invalidations before it
            while True:
                message = self._subscriber.get_message(timeout=REPLY_SECONDS)
                if message is None:
                    raise TimeoutError
                if message["type"] == "pong":
                    return found
                if message["data"] is None:
                    raise ChangesMissed("the store was emptied meanwhile")
                found.update(message["data"])

    def close(self) -> None:
        self._subscriber.close()
        self._tracker.close()
