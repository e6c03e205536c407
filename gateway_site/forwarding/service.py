"""Sends requests to one upstream: within the request's time, through the circuit, with retries if they are safe."""

import asyncio
import logging
import random
import time
from collections.abc import Collection
from ipaddress import ip_network
from typing import Any

import orjson

from common.http.problem import Problem
from common.observability import tracing
from common.observability.notices import Notices
from gateway_site.forwarding.certificates import Certificates
from gateway_site.forwarding.circuit import CLOSED, HALF_OPEN, Circuit, CircuitOpen, State
from gateway_site.forwarding.failures import problem_for
from gateway_site.forwarding.metrics import ADDRESSES, CIRCUIT, EJECTIONS, RETRIES, observe_upstream
from gateway_site.forwarding.retries import RetryBudget, may_repeat
from gateway_site.forwarding.spans import client_span, finish, injected
from gateway_site.forwarding.streams import Streams
from gateway_site.routes import table
from packages.http_pool import (
    Answer,
    ConnectTimeout,
    InvalidRequest,
    Limits,
    Outgoing,
    PoolFull,
    Upstream,
    UpstreamError,
    UpstreamTimeout,
)

PROBE_SECONDS = 0.8
DEFAULT_HEALTH = "/health/live"
"""The path checked if an upstream names none; any answer below 500 counts as live."""

BACKOFF_SECONDS = 0.025
"""The mean wait before the first retry; doubles."""

IDLE_SECONDS = 50.0
"""Less than the 100 s for which our services keep a connection."""

CONNECTIONS, CAPACITY = 128, 1152
"""Limits of concurrent requests: with a connection, and including those that wait for one."""

logger = logging.getLogger(__name__)
notices = Notices(logger)


class Busy(Exception):
    """No connection to the upstream was free in time."""


class Service:
    """An upstream of the table, for one event loop. Each has its own connections, circuit, retry budget and label."""

    def __init__(self, upstream: table.Upstream) -> None:
        self.upstream, self.name = upstream, upstream.name
        self.subject = "The user service" if upstream.name == table.USER_SERVICE else "The service"
        self._health = (upstream.health or DEFAULT_HEALTH).encode("ascii")
        seconds = upstream.connect_timeout_ms / 1000
        most = CONNECTIONS + upstream.max_streams
        limits = Limits(seconds, most, CAPACITY - CONNECTIONS, idle_timeout=IDLE_SECONDS)
        self._client = Upstream(
            upstream.url,
            limits,
            tls=Certificates(upstream.tls, upstream.name).context if upstream.tls else None,
            addresses=upstream.addresses,
            zones=[ip_network(zone) for zone in upstream.zones],
            check=self._health,
            is_live=self._is_live,
            changed=self._address_changed,
        )
        self._budget, self.streams = RetryBudget(), Streams(self.name, upstream.max_streams)
        self._uploads = asyncio.Semaphore(CONNECTIONS // 2)  # slow clients must leave connections for others
        self.circuit = Circuit(upstream.max_timeouts, upstream.failure_rate, changed=self._circuit_changed)
        CIRCUIT.labels(self.name).set(CLOSED)
        self._is_leaving = False

    async def upload(self, request: Outgoing, started: float, timeout: float, retries: int) -> Answer:  # noqa: ASYNC109
        """As `ask`, for a body that streams through."""
        try:
            async with asyncio.timeout(timeout - (time.perf_counter() - started)):
                await self._uploads.acquire()
        except TimeoutError as error:
            raise problem_for(PoolFull("too many bodies are arriving"), request, self.subject) from error
        try:
            return await self.ask(request, started, timeout, retries)
        finally:
            self._uploads.release()

    async def stream(self, request: Outgoing, started: float, timeout: float, retries: int) -> Answer:  # noqa: ASYNC109
        """As `ask`, for a stream or WebSocket. If the answer has no complete body, the caller calls
        `streams.release()`."""
        self.streams.admit()
        try:
            answer = await self.ask(request, started, timeout, retries)
        except BaseException:
            self.streams.release()
            raise
        if answer.body is not None:
            self.streams.release()
        return answer

    async def ask(self, request: Outgoing, started: float, timeout: float, retries: int) -> Answer:  # noqa: ASYNC109
        """The answer; `started`: when the request began (time.perf_counter); `timeout`: its total time in seconds.

        Raises Problem (400, 502, 503, 504).
        """
        self._budget.earn()
        attempt, fate, sick = 1, None, set[str]()
        while True:
            is_last = attempt > retries
            try:
                answer = await self._attempt(request, attempt, timeout - (time.perf_counter() - started), sick)
                may_move = answer.status >= 500 and answer.address != "" and request.is_safe and not is_last
                if not may_move or not self._may_spend(answer.address):
                    return answer
                await answer.aclose()
                address, reason = answer.address, "status"
            except UpstreamError as error:
                # If the last attempt was not sent, an earlier one may still have made the change.
                fate = error if error.sent or fate is None or not fate.sent else fate
                if is_last or not may_repeat(error, request) or not self._may_spend(error.address):
                    raise problem_for(fate, request, self.subject) from error
                address, reason = error.address, error.reason
                await asyncio.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            RETRIES.labels(self.name, reason).inc()
            sick.add(address)
            attempt += 1

    def _may_spend(self, address: str) -> bool:
        """Whether a retry may be sent. Retries away from an ejected address are free: no more requests go there."""
        return self._client.is_out(address) or self._budget.spend()

    async def _attempt(self, request: Outgoing, attempt: int, left: float, avoided: Collection[str]) -> Answer:
        admitted = self.circuit.admit()
        started = time.perf_counter()
        outcome: str | int = "cancelled"
        try:
            if self.circuit.state is HALF_OPEN:
                await self._check_live()
                left -= time.perf_counter() - started
            # The service gets the remaining time, so that it stops work whose client has got a 504.
            more = [] if request.idle else [(b"x-request-timeout-ms", b"%d" % max(0, left * 1000))]
            if tracing.is_on:
                with client_span(self.upstream, request, attempt) as span:
                    answer = await self._client.request(injected(span, request), left, more, avoided)
                    finish(span, answer)
            else:
                answer = await self._client.request(request, left, more, avoided)
            outcome = answer.status
            self.circuit.succeeded(admitted)
        except UpstreamError as error:
            outcome = error.reason
            self._record(error, request, admitted)
            raise
        except InvalidRequest as error:
            outcome = "invalid"
            self.circuit.ignored(admitted)
            raise Problem("malformed-request", "This request cannot be forwarded.") from error
        except BaseException:
            self.circuit.ignored(admitted)
            raise
        finally:
            observe_upstream(self.name, request.method, outcome, time.perf_counter() - started)
        return answer

    def _record(self, error: UpstreamError, request: Outgoing, admitted: int) -> None:
        is_timeout = isinstance(error, (UpstreamTimeout, ConnectTimeout))
        # A slow client, or a wait in this process, has used up the time.
        is_ours = isinstance(error, UpstreamTimeout) and not error.sent
        is_clients = is_timeout and request.is_streamed
        if isinstance(error, PoolFull) or is_ours or is_clients or self._client.is_out(error.address):
            self.circuit.ignored(admitted)
        else:
            self.circuit.failed(admitted, is_timeout=is_timeout)

    async def _check_live(self) -> None:
        """Checks the service before the trial request, which a frozen service would delay for its whole time. Raises
        CircuitOpen."""
        try:
            await self.probe()
        except (UpstreamError, RuntimeError) as error:
            raise CircuitOpen(0.0) from error

    async def probe(self) -> None:
        """Returns if the upstream is live. It checks liveness: readiness would also empty the gateway's Service in a
        Redis outage.

        Raises UpstreamError, RuntimeError.
        """
        try:
            answer = await self._get(self._health)
        except Busy:
            return  # requests will tell
        if not self._is_live(answer):
            raise RuntimeError(f"{self._health.decode()} answered {answer.status}")

    def _is_live(self, answer: Answer) -> bool:
        return answer.status == 200 if self.upstream.health else answer.status < 500

    async def document(self, path: bytes) -> dict[str, Any] | None:
        """The JSON object at a path, whatever its status; None without one within PROBE_SECONDS. Raises Busy."""
        try:
            answer = await self._get(path)
            value = orjson.loads(answer.body or b"")
        except (UpstreamError, orjson.JSONDecodeError):
            return None
        return value if isinstance(value, dict) else None

    async def _get(self, path: bytes) -> Answer:
        try:
            answer = await self._client.request(Outgoing("GET", path, []), PROBE_SECONDS)
        except PoolFull as error:
            raise Busy from error
        await answer.aclose()
        return answer

    async def close(self) -> None:
        await self._client.close()

    def leave(self) -> None:
        """Called when the active table no longer has this upstream: its gauges now belong to another one or to none."""
        self._is_leaving = True
        CIRCUIT.labels(self.name).set(CLOSED)
        if self._client.addresses[0] > 1:
            for state in ("ready", "ejected"):
                ADDRESSES.labels(self.name, state).set(0)

    def _circuit_changed(self, state: State) -> None:
        if self._is_leaving:
            return
        CIRCUIT.labels(self.name).set(state)
        notices.warn(f"circuit {state.name.lower().replace('_', '-')}", upstream=self.name)

    def _address_changed(self, address: str, reason: str) -> None:
        if self._is_leaving:
            return
        known, ready = self._client.addresses
        ADDRESSES.labels(self.name, "ready").set(ready)
        ADDRESSES.labels(self.name, "ejected").set(known - ready)
        if reason:
            EJECTIONS.labels(self.name, reason).inc()
            notices.warn("address ejected", upstream=self.name, address=address, reason=reason)
        else:
            notices.warn("address back", upstream=self.name, address=address)
