"""uvicorn's worker for gunicorn, with a drain before it stops. Once a second it enforces the timeouts of `protocol`."""

import ctypes
import faulthandler
import gc
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import ClassVar, cast

from gunicorn.arbiter import Arbiter
from uvicorn import Server
from uvicorn_worker import UvicornWorker

from common.server import drain
from common.server.protocol import Protocol

COLLECT_TICKS = 100
"""uvicorn ticks ten times a second."""

logger = logging.getLogger(__name__)


_malloc_trim: Callable[[int], int] = getattr(ctypes.CDLL(None), "malloc_trim", int)  # glibc's


class DrainingServer(Server):
    """On SIGTERM /health/ready becomes 503, and answers close their connections; after `drain_seconds` the listener
    closes, requests in flight finish, and the process exits 0."""

    def __init__(self, worker: "Worker", drain_seconds: float) -> None:
        super().__init__(worker.config)
        self.worker, self.drain_seconds = worker, drain_seconds
        self.stop_at = math.inf

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal handler: it sets a state that the next tick checks. uvicorn's own would raise the signal again at
        the end."""
        if sig == signal.SIGTERM:
            drain.start()
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        now = time.monotonic()
        if drain.is_on() and self.stop_at == math.inf:
            self.stop_at = now + self.drain_seconds
            logger.info("draining", extra={"fields": {"drain_seconds": self.drain_seconds}})
        if now >= self.stop_at or not self.worker.alive:  # with --reload, a file has changed
            self.should_exit = True
        if counter % 10 == 0:
            if os.getppid() != self.worker.ppid:  # the arbiter was killed
                self.should_exit = True
            self.worker.notify()  # uvicorn's own tick stops when the clock is set back
            for connection in list(cast(set[Protocol], self.server_state.connections)):
                connection.expire(now)
        if counter % COLLECT_TICKS == 0:
            gc.collect()  # otherwise cycles of closed connections would wait for a million new objects
            _malloc_trim(0)  # returns the memory of a flood to the system
        return await super().on_tick(counter)


class Worker(UvicornWorker):  # type: ignore[misc]
    CONFIG_KWARGS: ClassVar = {
        "loop": "uvloop",
        "http": Protocol,
        "ws": "none",
        "lifespan": "on",
        "interface": "asgi3",
        "proxy_headers": False,  # the application reads forwarded headers, from TRUSTED_PROXIES
        "server_header": False,
        "access_log": False,
        "log_level": logging.WARNING,
    }

    def init_process(self) -> None:
        logging.getLogger("uvicorn.error").propagate = True
        super().init_process()

    def init_signals(self) -> None:
        super().init_signals()
        faulthandler.enable()  # a traceback on SIGABRT, which the arbiter sends if the event loop hangs

    def load_wsgi(self) -> None:
        try:
            super().load_wsgi()
        except SystemExit as error:  # only with --reload: otherwise the arbiter has loaded it
            sys.stderr.write(f"{error}\n")
            sys.exit(Arbiter.APP_LOAD_ERROR)

    def run(self) -> None:
        from django.conf import settings

        self.config.app = self.wsgi
        self.config.timeout_graceful_shutdown = settings.GRACE_SECONDS - 1
        server = DrainingServer(self, settings.DRAIN_SECONDS)
        signal.signal(signal.SIGQUIT, server.handle_exit)
        server.run(sockets=[listener.sock for listener in self.sockets])
        logger.info("stopped")
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
