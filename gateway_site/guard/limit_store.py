"""The rate limit's numbers in a Redis that all replicas share: one script, one round trip, many clients in it.

What is asked within one round trip leaves with the next, so a busy gateway pays redis-py's 100 µs not for each request but for
each batch. The clock is the server's: replicas cannot disagree. While Redis is away limits are local, and the gateway says so
(`rate_limit_store_up`); the first requests to notice wait TIMEOUT_SECONDS, no later one does.
"""

import asyncio
import logging
from contextvars import Context

from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway_site.guard.limit import LocalStore, State
from gateway_site.guard.rate import Rate

TIMEOUT_SECONDS = 0.25
"""More than two periods of the kernel's CPU quota (100 ms), in which a throttled pod or Redis does nothing."""
RETRY_SECONDS = 0.5
MAX_BATCH = 512

SCRIPT = """
-- GCRA for each of KEYS. ARGV: a request's interval, a burst's length, in µs. Answers two numbers a key, in µs: until the
-- burst is whole again, and how much too early the request came (0: it may pass). What is kept is never further ahead than a
-- burst: unless RATE_LIMIT was stricter before, or the clock of a server before this one was ahead.
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

# Here, not in metrics.py: a gateway without such a store shows none of them.
STORE_UP = Gauge(
    "rate_limit_store_up",
    "1 while the shared store of the rate limit answers; 0: limits are local",
    multiprocess_mode="livemin",
)
FALLBACKS = Counter("rate_limit_fallbacks", "Requests that were limited locally, because the store did not answer")

logger = logging.getLogger(__name__)

Waiting = tuple[str, asyncio.Future[State]]


class RedisStore:
    """For one event loop. `url`: redis://, rediss:// or unix://."""

    def __init__(self, url: str, rate: Rate) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=2,
        )
        self._script = self._redis.register_script(SCRIPT)
        self._arguments = [rate.interval * 1e6, rate.interval * 1e6 * rate.burst]
        self._local = LocalStore(rate)
        self._waiting: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None  # sends, or waits for Redis to come back
        self._is_up = True
        STORE_UP.set(1)

    def take(self, client: str) -> State | asyncio.Future[State]:
        """As LocalStore.take, for all replicas together."""
        if not self._is_up:
            return self._take_locally(client)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[State] = loop.create_future()
        self._waiting.append((client, future))
        if self._task is None:
            # A context of its own: what it logs belongs to no request.
            self._task = loop.create_task(self._send(), context=Context())
        return future

    async def close(self) -> None:
        """Lets go of Redis."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._redis.aclose()

    async def _send(self) -> None:
        """Batch after batch until nobody waits."""
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):  # for all of connecting, AUTH, SELECT and the script
                    answer = await self._script(
                        keys=[f"ratelimit:{client}" for client, _ in batch], args=self._arguments
                    )
            except Exception as error:  # whatever it is: requests wait for this task
                self._fall_back(batch, error)
                return
            for (_, future), full_in, early in zip(batch, answer[::2], answer[1::2], strict=True):
                if not future.done():  # else its client went away
                    future.set_result((full_in * 1000, early * 1000))
        self._task = None

    def _fall_back(self, batch: list[Waiting], error: Exception) -> None:
        logger.error("RATE_LIMIT_STORE does not answer, limits are local: %s", error or type(error).__name__)
        self._is_up = False
        STORE_UP.set(0)
        batch, self._waiting = batch + self._waiting, []
        for client, future in batch:
            if not future.done():
                future.set_result(self._take_locally(client))
        self._task = asyncio.get_running_loop().create_task(self._come_back())

    async def _come_back(self) -> None:
        """Returns once Redis answers again, writes included."""
        is_back = False
        while not is_back:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await self._script(keys=["ratelimit:probe"], args=self._arguments)
                is_back = True
            except Exception:  # noqa: S112 - said once, when it went away
                continue
        logger.info("RATE_LIMIT_STORE answers again")
        self._is_up, self._task = True, None
        STORE_UP.set(1)

    def _take_locally(self, client: str) -> State:
        FALLBACKS.inc()
        return self._local.take(client)
