"""gunicorn's settings: how both services run, in production and in dev.

`python -m gateway_site.server` is `gunicorn -c python:gateway_site.server`. One worker process by default: scale by
replicas, so that metrics need no shared files and a CPU limit applies to one process.
"""

import gc
import os
import shutil
import signal
import socket
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from common.config import environment

KEEPALIVE_SECONDS = 100
"""Longer than the idle time-outs of proxies in front (nginx and an ALB: 60 s, Traefik: 90 s), so that the proxy closes
first."""


def restart(arbiter: Any) -> None:
    """With `--reload`, restarts the arbiter after a changed file has ended the worker: a new worker would inherit the
    arbiter's modules."""
    if arbiter.cfg.reload and arbiter.LISTENERS:  # it has none while it stops
        for listener in arbiter.LISTENERS:
            listener.close()
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def on_starting(arbiter: Any) -> None:
    """Fails immediately if a port is in use; gunicorn would retry for five seconds."""
    if "GUNICORN_FD" in os.environ:  # an upgrade by SIGUSR2 inherits the listener
        return
    for address in arbiter.cfg.address:
        if isinstance(address, str):  # a Unix socket
            continue
        try:
            socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET).close()
        except OSError as error:
            where = ":".join(map(str, address))
            reason = str(error.strerror).partition(" (while")[0]  # Python's text repeats the address
            sys.exit(f"{arbiter.cfg.proc_name}: cannot listen on {where} ({reason}): set HOST and PORT, or free it")


def when_ready(arbiter: Any) -> None:
    """Freezes the loaded application before the fork: objects that the collector never visits stay in shared memory."""
    for text in environment.misspelt():
        arbiter.log.warning(text)
    forget_gauges(os.getpid())  # the arbiter has no state to show
    gc.collect()
    gc.freeze()
    # Reference counts free a request's objects; a collection every 700 objects would cost 3 % of the CPU.
    gc.set_threshold(10_000, 20, 50)


def child_exit(arbiter: Any, worker: Any) -> None:
    forget_gauges(worker.pid)
    restart(arbiter)


def forget_gauges(pid: int) -> None:
    """Removes the gauges of this process from the shared metrics of several workers."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def run(site: str) -> None:
    """Executes gunicorn after reading the settings, so that a malformed WEB_CONCURRENCY is one line, not a
    traceback."""
    # For the time before gunicorn handles signals: PID 1 ignores a signal without a handler.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    site_settings(site)
    from gunicorn.app import wsgiapp

    sys.argv[:1] = ["gunicorn", "-c", f"python:{site}.server"]
    wsgiapp.run()


def site_settings(site: str) -> Any:
    """The site's settings module. A setting that is missing or malformed ends the process with one line."""
    # Overrides the environment: a value of the shell would start one site with the settings of the other.
    os.environ["DJANGO_SETTINGS_MODULE"] = f"{site}.settings"
    try:
        return import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    except ImproperlyConfigured as error:
        sys.exit(f"{site}: {error}")


def load(site: str) -> Any:
    """The site's application. An invalid setting ends the process with one line."""
    try:
        return import_module(f"{site}.asgi").application()
    except ImproperlyConfigured as error:
        sys.exit(f"{site}: {error}")


def gunicorn_settings(site: str) -> dict[str, Any]:
    settings = site_settings(site)
    from common.observability.json_logging import log_everything  # reads settings

    log_everything()
    return {
        **shared_metrics(settings.WEB_CONCURRENCY),
        "wsgi_app": f"common.server.gunicorn:load('{site}')",
        "preload_app": "--reload" not in sys.argv,  # reports errors before it listens, and shares memory (ADR 0008)
        "bind": bind_address(settings.HOST, settings.PORT),
        "worker_class": "common.server.worker.Worker",
        "on_starting": on_starting,
        "when_ready": when_ready,
        "child_exit": child_exit,
        "workers": settings.WEB_CONCURRENCY,
        "logconfig_dict": settings.LOGGING,
        "proc_name": settings.SERVICE,
        # The heartbeat's file: on a read-only root only memory is writable (benoitc/gunicorn#3551).
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
        "control_socket_disable": True,
        "keepalive": KEEPALIVE_SECONDS,
        "timeout": 30,
        "graceful_timeout": settings.DRAIN_SECONDS + settings.GRACE_SECONDS,
        "backlog": 2048,
        # The application reads X-Forwarded-Proto, with TRUSTED_PROXIES; the server must trust no peer.
        "forwarded_allow_ips": "",
    }


def bind_address(host: str, port: int) -> str:
    """The address, IPv6 in brackets: gunicorn would take its end for the port."""
    return f"[{host.strip('[]')}]:{port}" if ":" in host else f"{host}:{port}"


def shared_metrics(workers: int) -> dict[str, Any]:
    """The shared metrics folder of several workers, and the hook that cleans it; nothing for one worker."""
    if workers == 1:
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        return {}
    folder = tempfile.mkdtemp(prefix="metrics-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)  # noqa: S108
    # Read by prometheus_client when a worker imports it.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder

    def on_exit(server: Any) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    return {"on_exit": on_exit}
