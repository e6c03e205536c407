"""gunicorn's `asgi` worker with our drain, our problems for what its parser refuses, and a bound on slow heads.

On SIGTERM: ready turns 503, the listener stays open for DRAIN_SECONDS while endpoints are taken out of rotation, every answer
says `Connection: close`, then idle connections are closed, what is in flight finishes, and the process exits 0.

With one worker (the default) there is no arbiter: see server.py. Where there is one it imports this module too and serves
nothing: Django and all that stands on it are imported by the worker alone.
"""

import faulthandler
import gc
import logging
import math
import os
import signal
import sys
import time
from logging.config import dictConfig
from queue import SimpleQueue
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from gunicorn.arbiter import Arbiter
from gunicorn.asgi import protocol
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.workers import gasgi

from common import drain, tracing
from common.field_parser import FieldParser, scan
from common.json_logging import log_everything
from common.settings import DRAIN_SECONDS

HEAD_SECONDS = 10.0
"""A request head that takes longer than this is a slow-header attack or a lost client (RFC 9110 §15.5.9 allows to close)."""

COLLECT_SECONDS = 10.0
"""How often everything but what was there after the start is searched for cycles, some ms: old ones (of connections, mostly)
would else wait for a million new objects, and memory would grow until then."""

STALLED_SECONDS = 10.0
"""How long a client may leave an answer unread: it holds a place among those in flight."""

UNNEEDED = ("pygments", "yaml") if tracing.is_on else ("pygments", "yaml", "requests", "opentelemetry")
"""What DRF and redis-py import if it is there: 10 MB in each worker that no answer needs. Hidden while the application is
loaded; who needs one later imports it then."""

LINGER_SECONDS = 2.0
"""How long a client that was refused may go on sending before it is cut off."""

logger = logging.getLogger(__name__)


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's lines through our LOGGING, and no access line of its own."""

    def setup(self, cfg: Any) -> None:
        """Applies LOGGING in the arbiter, and again in each worker."""
        self.cfg = cfg
        self._access_log_enabled = False
        dictConfig(cfg.logconfig_dict)
        log_everything()


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """One client connection."""

    worker: "Worker"
    _closed: bool
    _callback_parser: Any
    _is_refused = False
    stalled_at = math.inf

    def connection_made(self, transport: Any) -> None:
        """Known to the worker, which closes it when idle at shutdown, or when its head takes too long."""
        self.opened = time.monotonic()
        self.worker.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgotten by the worker."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        self.stalled_at = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self.stalled_at = math.inf
        super().resume_writing()

    @property
    def is_idle(self) -> bool:
        """No request is being served on it."""
        return bool(self._awaiting_request)

    def close_if_idle(self) -> None:
        """Closes the connection unless a request is being served on it."""
        if self.is_idle:
            self._keepalive_timeout()

    @property
    def _is_body_unread(self) -> bool:
        return self._body_receiver is not None and not self._body_receiver._complete

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        # gunicorn closes after an answer that came before its request's end, but does not say so.
        return drain.is_on() or self._is_body_unread or super()._will_close(request, response_requires_close)

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        # gunicorn gives each request a task of its own, for applications that work on after their answer. Ours does
        # not, and the task costs 10 µs.
        keepalive: bool = await self._handle_http_request(request, sockname, peername)
        return keepalive

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """Never: the request is served as if it had no `Upgrade` (RFC 9110 §7.8)."""
        return False

    def _close_transport(self) -> None:
        """Closes at once, or in stages while the client may still send (RFC 9112 §9.6): a reset would destroy the
        answer before it is read."""
        if self._closed or not (self._is_refused or self._is_body_unread):
            super()._close_transport()
            return
        self._closed = True
        self._callback_parser = None  # what comes from now on is thrown away
        if self._body_receiver is not None:
            self._body_receiver.signal_disconnect()
        self._resume_reading()
        self.transport.write_eof()
        self.worker.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """What the parser refuses is a problem too."""
        from common import refusal  # stands on Django

        if status == 501:
            # Of a transfer coding that is not known. RFC 9112 §6.1 would have it, but whoever sends one would eat up the
            # error budget: it is the client's fault, like every other coding that is not `chunked` (asgi.py).
            status = 400
        peer = self.transport.get_extra_info("peername")
        refused = refusal.read(self._callback_parser, peer[0] if peer else None)
        head, body = refusal.answer(refused, status, self._get_reason_phrase(status))
        self._safe_write(head + body)
        self._is_refused = True
        is_served = self._body_receiver is not None and self._body_receiver._waiter is not None
        if status != 500 and not is_served:  # else the application records the request: it failed, or reads a bad body
            refusal.record(refused, status, len(body), message)


# The worker finds what makes its protocols, their parsers and checks by these names; there is no setting for them.
gasgi.ASGIProtocol = Protocol
protocol.PythonProtocol = FieldParser
protocol._scan_response_headers = scan


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    """gunicorn's worker; `connections` are those of its clients. `is_alone`: no arbiter watches it."""

    queued: SimpleQueue[int] | None = None
    """Where there is no arbiter: what its handlers, which only queue, have heard so far."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections: set[Protocol] = set()
        self.collect_at = 0.0

    @property
    def is_alone(self) -> bool:
        """Whether it serves in the arbiter's place."""
        return self.queued is not None

    def serve_alone(self, queued: SimpleQueue[int]) -> NoReturn:
        """Serves until told to stop, then ends the process: with 0, or with 1 where nobody had told it to."""
        self.queued, self.pid = queued, os.getpid()
        self.init_process()
        logger.info("stopped")
        sys.exit(1 if self.alive else 0)

    def init_signals(self) -> None:
        """gunicorn's, before the application is loaded; alone not before the loop runs: until then uvloop would lose a signal,
        and the arbiter's handlers queue it. (An exception raised by a handler is lost in a finaliser.)"""
        if self.queued is None:
            super().init_signals()
        else:
            self.loop.call_soon(self._take_signals_over, self.queued)

    def _take_signals_over(self, queued: SimpleQueue[int]) -> None:
        """From the arbiter, with no moment in which one would meet its default action: PID 1 has none that would end it."""
        stops = {
            signal.SIGTERM: self.handle_exit_signal,
            signal.SIGHUP: self.handle_exit_signal,
            signal.SIGINT: self.handle_quit_signal,
            signal.SIGQUIT: self.handle_quit_signal,
        }
        for number, handler in {**stops, signal.SIGUSR1: self.handle_usr1_signal}.items():
            self.loop.add_signal_handler(number, handler)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the orphans of PID 1
        while not queued.empty():
            if queued.get() in stops:
                self.alive = False  # nobody has been served yet: there is nothing to drain

    def load_wsgi(self) -> None:
        """The application, and all that it made so far out of the garbage collector's way: it stays (gc.freeze)."""
        hidden = [module for module in UNNEEDED if module not in sys.modules]
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: not to be found
        try:
            super().load_wsgi()
        except ImproperlyConfigured as error:
            sys.stderr.write(f"{self.app.app_uri.partition('.')[0]}: {error}\n")
            sys.exit(Arbiter.APP_LOAD_ERROR)
        for module in hidden:
            del sys.modules[module]
        gc.collect()
        gc.freeze()
        # What a request makes is freed by reference counts; looking for cycles every 700 objects cost 3 % of the CPU.
        gc.set_threshold(10_000, 20, 50)

    def handle_exit_signal(self) -> None:
        """SIGTERM: drain first, stop afterwards. A second one changes nothing."""
        if drain.is_on():
            return
        drain.start()
        logger.info("draining", extra={"fields": {"drain_seconds": DRAIN_SECONDS}})
        self.loop.call_later(DRAIN_SECONDS, super().handle_exit_signal)

    def notify(self) -> None:
        """Once a second: the heartbeat, and an end to heads that take too long, and to clients that do not read. At times a
        search for cycles."""
        super().notify()
        if time.monotonic() >= self.collect_at:
            self.collect_at = time.monotonic() + COLLECT_SECONDS
            gc.collect()
        if self.is_alone:
            self.ppid = os.getppid()  # it is no arbiter's death that would be noticed here
            # The arbiter would kill a worker whose loop hangs. The traceback goes to stderr.
            faulthandler.dump_traceback_later(self.timeout, exit=True)
        overdue = time.monotonic() - HEAD_SECONDS
        for connection in list(self.connections):
            if connection.stalled_at < time.monotonic() - STALLED_SECONDS:
                connection.transport.abort()
            if connection.req_count <= 1 and connection.opened < overdue:
                connection.close_if_idle()

    async def _shutdown(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        for server in self.servers:
            server.close()
        for connection in list(self.connections):
            connection.close_if_idle()
        await super()._shutdown()
