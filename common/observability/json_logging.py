"""One JSON object per line on stdout: the formatter, the LOGGING settings, and the masks of secrets."""

import logging
import re
import sys
import traceback
import warnings
from typing import Any

import orjson

from common.config import environment
from common.observability import request_id, tracing
from common.observability.stdout import Stdout, clock

LEVELS = {name: name.lower() for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}

_Q = """["']?"""
_MASKS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"""(://[^\s:/@"']*:)[^\s"']*@""", r"\1***@"),
        (r"""((?:authorization|x-api-key|cookie)["']\s*[:=,]\s*b?["'])[^"']+""", r"\1***"),
        (r"""((?:authorization|x-api-key|cookie)\s*[:=]\s*)[^\r\n\\]+""", r"\1***"),
        (rf"""((?:password|passwd|secret|token|api_?key){_Q}\s*[:=]\s*b?{_Q})[^\s"'&,;}}]+""", r"\1***"),
        (r"\b(bearer|basic)\s+[\w.~+/=-]+", r"\1 ***"),
        (r"\beyJ[\w-]+\.[\w-]+\.[\w-]*", "***"),  # a JSON Web Token
        (r"\bugk_[0-9a-f]{12}_[\w-]+", "***"),  # an API key of the gateway's
        (r"""(\bemail=)[^&\s"']+""", r"\1***"),
    )
]


def mask(text: str) -> str:
    """Removes passwords, tokens, `email` query values and all secret settings from a text."""
    for value in tuple(environment.secrets):  # another thread may add one
        text = text.replace(value, "***")
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def masked(value: Any) -> Any:
    """The value as JSON can represent it, every text in it masked."""
    if value is None or isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    if isinstance(value, dict):
        return {str(name): masked(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(item) for item in value]
    return mask(str(value).encode("utf-8", "backslashreplace").decode())


stdout = Stdout()


def write(line: bytes) -> None:
    """Writes a line to stdout, or drops it if the reader stalls: see stdout.py."""
    stdout.write(line + b"\n")


class JSONFormatter(logging.Formatter):
    """A record as one JSON object. `fields` in a record's extra are added as they are."""

    def __init__(self, service: str, version: str) -> None:
        super().__init__()
        self.constants = stdout.constants = {"service": service, "version": version}

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "timestamp": clock.text(record.created),
            "level": LEVELS.get(record.levelname, "info"),
            **self.constants,
            "message": masked(record.getMessage()),
            "logger": record.name,
        }
        current = request_id.current.get()
        if current:
            entry["request_id"] = current
        entry.update(tracing.ids())
        fields = getattr(record, "fields", None)
        if fields is not None:
            entry.update(masked(fields))
        if record.exc_info and record.exc_info[1] is not None:
            entry.update(masked(exception_fields(record.exc_info[1])))
        return orjson.dumps(entry).decode()


def exception_fields(error: BaseException) -> dict[str, str]:
    """OpenTelemetry-like names for an exception."""
    return {
        "error.type": type(error).__qualname__,
        "error.message": str(error),
        "error.stack": "".join(traceback.format_exception(error)),
    }


class StdoutHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Never raises; reports what it cannot format on stderr."""
        try:
            write(self.format(record).encode())
        except Exception:
            self.handleError(record)


def logging_settings(service: str, version: str, log_level: str) -> dict[str, Any]:
    """`LOGGING` of a service: every logger, those of the server and of warnings included, to stdout."""
    level = "WARNING" if log_level == "warn" else log_level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JSONFormatter, "service": service, "version": version}},
        "handlers": {"stdout": {"()": StdoutHandler, "formatter": "json"}},
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": {
            # Without Django's own handlers, its records reach the root.
            "django": {"level": "INFO" if level == "DEBUG" else level, "handlers": [], "propagate": True},
            # Their own handlers would write to stderr, unmasked.
            **{
                name: {"level": level, "handlers": [], "propagate": True}
                for name in ("django.server", "gunicorn.error", "gunicorn.access")
            },
            "start": {"level": "INFO"},  # at every LOG_LEVEL
            "asyncio": {"level": "WARNING", "handlers": [], "propagate": True},
        },
    }


def log_everything() -> None:
    """Logs warnings and uncaught exceptions too; switches off what our lines do not show."""
    # docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined] # new in Python 3.12
    logging.captureWarnings(True)
    warnings.simplefilter("default", ResourceWarning)

    def uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logging.getLogger("uncaught").critical("uncaught exception", exc_info=error)

    sys.excepthook = uncaught
