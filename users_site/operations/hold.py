"""Makes a store refuse writes: its epoch becomes a token, which the scripts refuse."""

import secrets

from packages.redis_pipe import Script
from users_site.operations.bulk import Bulk
from users_site.repository.keys import HELD

HOLD_SECONDS = 10

_KEEP = Script(
    "keep",
    """\
-- Keeps a hold for good, if it has not expired meanwhile.
-- KEYS 1 epoch   ARGV 1 epoch   2 token   Answers 1 | 0
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
return redis.call('PERSIST', KEYS[1])""",
)


class Hold:
    """A hold; it ends after HOLD_SECONDS, unless it is kept. Every method may raise StoreUnavailable, StoreError."""

    def __init__(self, store: Bulk) -> None:
        self._store = store
        self.token = f"{HELD.decode()}by move_users {secrets.token_hex(8)}"

    def begin(self) -> None:
        for partition in self._store.layout.partitions:
            self._store.call("hold", "SET", partition.epoch, self.token, "EX", HOLD_SECONDS)

    def keep(self) -> bool:
        """Makes the hold permanent; False if it had expired."""
        partitions = self._store.layout.partitions
        return all(self._store.script("keep", _KEEP, partition, (), self.token) for partition in partitions)

    def end(self) -> None:
        """The store accepts writes again, if it has this hold."""
        release(self._store, self.token)


def release(store: Bulk, held: str = HELD.decode()) -> bool:
    """Restores the epoch of the partitions whose epoch begins with this text; returns whether there were any."""
    partitions = store.layout.partitions
    epochs = store.each("GET", [partition.epoch for partition in partitions])
    pairs = zip(partitions, epochs, strict=True)
    freed = [partition for partition, epoch in pairs if (epoch or b"").startswith(held.encode())]
    for partition in freed:
        store.call("release", "SET", partition.epoch, store.layout.epoch)
    return bool(freed)
