"""The rate limit's numbers in a Redis that all replicas share: one script call for each request, pipelined.

It uses Redis's clock, so that replicas agree. While Redis is unavailable, the limit is local (`rate_limit_store_up`);
only the first requests wait TIMEOUT_SECONDS.
"""

import logging
from contextvars import Context

from prometheus_client import Counter, Gauge

from common.observability.notices import Notices
from gateway_site.guard.limit import LocalStore, State, Take
from gateway_site.routes.rate import Rate
from packages.redis_pipe import Address, Options, Pipe, PipeError, Script, Unavailable

TIMEOUT_SECONDS = 0.25
"""More than two periods of the kernel's CPU quota (100 ms), in which a throttled pod or Redis may pause."""
PREFIX = "ratelimit:"

SCRIPT = """
-- GCRA. ARGV: the length of a request and of a burst in µs. Returns two numbers in µs: until the burst is whole, and until
-- a refused request may be repeated (0: accepted). A stored number is at most a burst ahead, unless RATE_LIMIT was stricter
-- before or the clock of a previous server was ahead.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = tonumber(redis.call('GET', KEYS[1]) or 0)
local full_at = math.min(math.max(stored, now), now + tolerance)
local early = math.max(0, math.ceil(full_at + interval - now - tolerance - 0.5))
if early == 0 then
  full_at = full_at + interval
end
if early == 0 or stored > full_at then
  redis.call('SET', KEYS[1], string.format('%.3f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return {math.ceil(full_at - now), early}
"""

# Not in metrics.py: only a gateway with a shared store exports them.
STORE_UP = Gauge(
    "rate_limit_store_up",
    "1 while the shared store of the rate limit answers; 0: limits are local",
    multiprocess_mode="livemin",
)
FALLBACKS = Counter("rate_limit_fallbacks", "Requests limited locally, because the store did not answer")

notices = Notices(logging.getLogger(__name__))


class RedisStore:
    """The numbers of all limits, over one connection, which the first request opens. `password`: for a URL without one."""

    def __init__(self, url: str, password: str = "") -> None:
        options = Options(
            TIMEOUT_SECONDS,
            TIMEOUT_SECONDS,
            on_state=self._report,
            client_name="api-gateway",
            password=lambda: password or None,
        )
        self._pipe = Pipe(Address.from_url(url), options)
        self._script = Script("rate_limit", SCRIPT)
        self.is_up = True

    def counter(self, rate: Rate, name: str) -> Take:
        """As LocalStore.take, for all replicas together; `name`: of the limit."""
        prefix, local = PREFIX if name == "default" else f"{PREFIX}{name}:", LocalStore(rate)
        microseconds = rate.interval * 1e6
        arguments = [str(microseconds), str(microseconds * rate.burst)]

        async def take(client: str) -> State:
            try:
                full_in, early = await self._pipe.run(self._script, [prefix + client], arguments)
            except PipeError as error:
                self._report(error.reason if isinstance(error, Unavailable) else str(error))
                FALLBACKS.inc()
                return local.take_now(client)
            self._report(None)
            return full_in * 1000, early * 1000

        return take

    def sample(self) -> None:
        """Sets the gauge periodically: a worker does not inherit a value set before the fork."""
        STORE_UP.set(self.is_up)

    async def close(self) -> None:
        await self._pipe.close()

    def _report(self, reason: str | None) -> None:
        if self.is_up == (reason is None):
            return
        self.is_up = reason is None
        warn = Context().run  # the line belongs to no request
        if reason is None:
            warn(notices.warn, "RATE_LIMIT_STORE back")
        else:
            warn(notices.warn, "RATE_LIMIT_STORE lost, limits are local", reason=reason)
