"""Asks the user service: within the request's time, through the circuit, again where that cannot do harm."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from common.http.problem import Problem
from common.http.response import Headers
from common.observability import tracing
from gateway_site import settings
from gateway_site.forwarding.circuit import Circuit
from gateway_site.forwarding.metrics import circuit_state, count_retry, observe_upstream
from gateway_site.forwarding.retries import ATTEMPTS, RetryBudget, is_harmless
from packages.http_pool import (
    Answer,
    BadAnswer,
    BodyTimeout,
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    Limits,
    PoolFull,
    Upstream,
    UpstreamError,
    UpstreamTimeout,
)

SERVICE = "user-service"
ORIGIN = settings.USER_SERVICE_URL.rstrip("/")
HOST = urlsplit(ORIGIN).hostname or ""
PORT = urlsplit(ORIGIN).port or (443 if ORIGIN.startswith("https:") else 80)
TIMEOUT = settings.UPSTREAM_TIMEOUT_MS / 1000
PROBE_SECONDS = 0.8
BACKOFF_SECONDS = 0.025
"""Before the first retry, on average; doubles."""

upstream = Upstream(
    settings.USER_SERVICE_URL, Limits(connect_timeout=settings.UPSTREAM_CONNECT_TIMEOUT_MS / 1000, idle_timeout=50.0)
)
budget = RetryBudget()
circuit = Circuit()
circuit_state(SERVICE, lambda: circuit.state)


async def ask(
    method: str, path: bytes, headers: Headers, body: bytes | AsyncIterator[bytes], length: int | None, started: float
) -> Answer:
    """The answer to a request whose time began at `started` (time.perf_counter). Raises Problem (400, 502, 503, 504)."""
    budget.earn()
    attempt = 1
    while True:
        try:
            return await _attempt(method, path, headers, body, length, TIMEOUT - (time.perf_counter() - started))
        except UpstreamError as error:
            if attempt >= ATTEMPTS or not is_harmless(error, method, headers, body) or not budget.spend():
                raise problem_for(error) from error
            count_retry(SERVICE, kind_of(error))
        await asyncio.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        attempt += 1


async def _attempt(
    method: str, path: bytes, headers: Headers, body: bytes | AsyncIterator[bytes], length: int | None, left: float
) -> Answer:
    if not circuit.admit():
        wait = b"%d" % max(1, ceil(circuit.seconds_to_probe))
        detail = "The user service fails and is not asked for a moment."
        raise Problem("upstream-unavailable", detail, headers=[(b"retry-after", wait)])
    # What is left of the time goes with the request, so that nobody works on for a client who has had a 504.
    told = [*headers, (b"x-request-timeout-ms", b"%d" % max(0, left * 1000))]
    started, outcome = time.perf_counter(), "cancelled"
    try:
        answer = await send(method.encode("ascii"), path, told, body, content_length=length, timeout=left)
        outcome = str(answer.status)
        circuit.succeeded()
    except UpstreamError as error:
        outcome = kind_of(error)
        # The time of a body that streams through is its client's too: slow ones would open the circuit for everybody.
        is_streamed = not isinstance(body, bytes)
        if isinstance(error, PoolFull) or (is_streamed and isinstance(error, UpstreamTimeout)):
            circuit.forgotten()
        else:
            circuit.failed()
        raise
    except ValueError as error:
        outcome = "invalid"
        circuit.forgotten()
        raise Problem("malformed-request", "This request cannot be forwarded.") from error
    except BaseException:
        circuit.forgotten()
        raise
    finally:
        observe_upstream(SERVICE, method, outcome, time.perf_counter() - started)
    return answer


async def _traced(method: bytes, path: bytes, headers: Headers, *args: Any, **options: Any) -> Answer:
    url = f"{ORIGIN}{path.partition(b'?')[0].decode('latin-1')}"
    name = method.decode("ascii")
    attributes = {
        "http.request.method": tracing.known(name),
        "server.address": HOST,
        "server.port": PORT,
        "url.full": url,
    }
    with tracing.client_span(tracing.name(name), attributes) as span:
        # The user service continues our span, not the client's.
        own = [field for field in headers if field[0] not in {b"traceparent", b"tracestate"}] + tracing.injected(span)
        answer = await upstream.request(method, path, own, *args, **options)
        # For a client, 4xx is an error too.
        tracing.set_status(span, answer.status, error=str(answer.status) if answer.status >= 400 else None)
        return answer


send = _traced if settings.TRACES else upstream.request

KINDS: tuple[tuple[type[UpstreamError], str, str, str], ...] = (
    (BodyTimeout, "body_timeout", "upstream-timeout", "The request's body did not arrive in time."),
    (UpstreamTimeout, "timeout", "upstream-timeout", "The user service did not answer in time."),
    (ConnectTimeout, "connect_timeout", "upstream-timeout", "The user service took no connection in time."),
    (ConnectFailed, "refused", "bad-upstream", "The user service takes no connection."),
    (PoolFull, "pool_full", "upstream-unavailable", "Too many requests wait for the user service."),
    (ConnectionReset, "reset", "bad-upstream", "The user service broke the connection."),
    (BadAnswer, "bad_answer", "bad-upstream", "The user service's answer was broken."),
    (UpstreamError, "error", "bad-upstream", "The user service could not be asked."),
)
"""What each error is called in metrics, which problem it is, and what the client is told: no host, no address."""


def kind_of(error: UpstreamError) -> str:
    """The metrics' name for an error."""
    return next(kind for known, kind, _, _ in KINDS if isinstance(error, known))


def problem_for(error: UpstreamError) -> Problem:
    """The problem that an error is to the client."""
    return next(Problem(code, detail) for known, _, code, detail in KINDS if isinstance(error, known))


async def probe() -> None:
    """Returns if the user service lives: not whether it is ready, or a Redis outage would empty the gateway's Service
    too. Raises UpstreamError or RuntimeError."""
    answer = await upstream.request(b"GET", b"/health/live", [], timeout=PROBE_SECONDS)
    await answer.aclose()
    if answer.status != 200:
        raise RuntimeError(f"/health/live said {answer.status}")
