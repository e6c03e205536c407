"""gunicorn's `asgi` worker with our drain, and bounds on slow heads and on clients that do not read.

On SIGTERM: ready turns 503, the listener stays open for DRAIN_SECONDS while endpoints are taken out of rotation, every answer
says `Connection: close`, then idle connections are closed, what is in flight finishes, and the process exits 0.

With one worker (the default) there is no arbiter: see server.py. Where there is one it imports this module too and serves
nothing: Django and all that stands on it are imported by the worker alone.
"""

import faulthandler
import gc
import logging
import os
import signal
import sys
import time
from logging.config import dictConfig
from queue import SimpleQueue
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.workers import gasgi

from common.config.settings import DRAIN_SECONDS
from common.observability import tracing
from common.observability.json_logging import log_everything
from common.server import drain
from common.server.protocol import Protocol

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

logger = logging.getLogger(__name__)


class Logger(GunicornLogger):  # type: ignore[misc]
    """gunicorn's lines through our LOGGING, and no access line of its own."""

    def setup(self, cfg: Any) -> None:
        """Applies LOGGING in the arbiter, and again in each worker."""
        self.cfg = cfg
        self._access_log_enabled = False
        dictConfig(cfg.logconfig_dict)
        log_everything()


gasgi.ASGIProtocol = Protocol  # the worker finds it by this name; there is no setting for it


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
