"""The rate limit's numbers in a Redis that all replicas share: one script for many clients in one round trip.

Requests that arrive during a round trip leave with the next: a busy gateway pays redis-py's 100 µs for each batch, not for
each request. The clock is the server's, so that replicas agree. While Redis is unavailable the limit is local
(`rate_limit_store_up`); only the first requests wait TIMEOUT_SECONDS.
"""

import asyncio
import logging
from contextvars import Context

from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.observability.notices import Notices
from gateway_site.guard.limit import LocalStore, State
from gateway_site.routes.rate import Rate

TIMEOUT_SECONDS = 0.25
"""More than two periods of the kernel's CPU quota (100 ms), in which a throttled pod or Redis may pause."""
RETRY_SECONDS = 0.5
MAX_BATCH = 512

SCRIPT = """
-- GCRA for each of KEYS. ARGV: the length of a request and of a burst in µs. Returns two numbers for each key, in µs: until
-- the burst is whole, and until a refused request may be repeated (0: accepted). A stored number is at most a burst ahead,
-- unless RATE_LIMIT was stricter before or the clock of a previous server was ahead.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local answer = {}
for i, key in ipairs(KEYS) do
  local full_at = math.max(tonumber(redis.call('GET', key) or 0), now)
  if full_at > now + tolerance then
    full_at = now + tolerance
    redis.call('SET', key, string.format('%.3f', full_at), 'PX', math.ceil(tolerance / 1000))
  end
  local after = full_at + interval
  local early = math.ceil(after - now - tolerance - 0.5)
  if early > 0 then
    answer[2 * i - 1], answer[2 * i] = math.ceil(full_at - now), early
  else
    redis.call('SET', key, string.format('%.3f', after), 'PX', math.ceil((after - now) / 1000))
    answer[2 * i - 1], answer[2 * i] = math.ceil(after - now), 0
  end
end
return answer
"""

# Not in metrics.py: only a gateway with such a store shows them.
STORE_UP = Gauge(
    "rate_limit_store_up",
    "1 while the shared store of the rate limit answers; 0: limits are local",
    multiprocess_mode="livemin",
)
FALLBACKS = Counter("rate_limit_fallbacks", "Requests limited locally, because the store did not answer")

notices = Notices(logging.getLogger(__name__))

Waiting = tuple[str, asyncio.Future[State]]


def connect(url: str) -> Redis:
    """A client for redis://, rediss:// or unix://, which connects at its first command."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=2,
    )


class RedisStores:
    """The stores of all limits in one Redis."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stores: list[RedisStore] = []

    def make(self, rate: Rate, name: str) -> "RedisStore":
        self._stores.append(RedisStore(connect(self._url), rate, name))
        return self._stores[-1]

    def sample(self) -> None:
        """Sampled, because a worker does not inherit a value set before the fork."""
        self._stores = [store for store in self._stores if not store.is_closed]
        STORE_UP.set(all(store.is_up for store in self._stores))


class RedisStore:
    """For one event loop. `name`: of the limit."""

    def __init__(self, redis: Redis, rate: Rate, name: str = "default") -> None:
        self._prefix = "ratelimit:" if name == "default" else f"ratelimit:{name}:"
        self._redis = redis
        self._script = self._redis.register_script(SCRIPT)
        self._arguments = [rate.interval * 1e6, rate.interval * 1e6 * rate.burst]
        self._local = LocalStore(rate)
        self._waiting: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None  # sends batches, or waits for Redis
        self.is_up, self.is_closed = True, False

    async def take(self, client: str) -> State:
        """As LocalStore.take, for all replicas together."""
        if not self.is_up:
            return self._take_locally(client)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[State] = loop.create_future()
        self._waiting.append((client, future))
        if self._task is None:
            # An empty context: its log lines must not carry a request's ID.
            self._task = loop.create_task(self._send(), context=Context())
        return await future

    async def close(self) -> None:
        self.is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._redis.aclose()

    async def _send(self) -> None:
        """Sends batches until the queue is empty."""
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):  # of connecting, AUTH, SELECT and the script
                    answer = await self._script(
                        keys=[f"{self._prefix}{client}" for client, _ in batch], args=self._arguments
                    )
            except Exception as error:  # of any kind: requests wait for this task
                self._fall_back(batch, error)
                return
            for (_, future), full_in, early in zip(batch, answer[::2], answer[1::2], strict=True):
                if not future.done():  # else its client disconnected
                    future.set_result((full_in * 1000, early * 1000))
        self._task = None

    def _fall_back(self, batch: list[Waiting], error: Exception) -> None:
        notices.warn("RATE_LIMIT_STORE lost, limits are local", reason=str(error) or type(error).__name__)
        self.is_up = False
        batch, self._waiting = batch + self._waiting, []
        for client, future in batch:
            if not future.done():
                future.set_result(self._take_locally(client))
        self._task = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        """Returns when Redis accepts writes again."""
        is_back = False
        while not is_back:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await self._script(keys=[f"{self._prefix}probe"], args=self._arguments)
                is_back = True
            except Exception:  # noqa: S112 - logged once, when Redis was lost
                continue
        notices.warn("RATE_LIMIT_STORE back")
        self.is_up, self._task = True, None

    def _take_locally(self, client: str) -> State:
        FALLBACKS.inc()
        return self._local.take_now(client)
