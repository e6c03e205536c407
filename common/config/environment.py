"""Reads settings from the environment; what is missing or malformed is one line that names the setting and the cure.

`NAME_FILE` reads a mounted file, a `.env` file in the working directory fills in what the environment does not set
(both by django-environ).
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping

Value = TypeVar("Value")

_HOST = re.compile(r"\.?[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]|\*")

_PUBLIC_HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
"""A path that proxies may put in front of ours."""

_CHECK_ID = re.compile(r"[a-z0-9_]+\.[A-Z]\d{3}")

env = FileAwareEnv()
env.ENVIRON = FileAwareMapping(cache=False)  # a file is read when it is asked for
secrets: set[str] = set()
"""Values that no log line may show; `hide()` fills it."""


class SettingError(ImproperlyConfigured):
    """One setting is missing or malformed; the text names it and the cure."""


LIBRARY_FILES = frozenset({"OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"})
"""Settings of OpenTelemetry that are a path themselves."""

try:
    if Path(".env").is_file():
        env.read_env(".env")
except (OSError, UnicodeDecodeError) as error:
    raise SettingError(".env cannot be read: make it a UTF-8 file that this user may read, or remove it") from error


def text(name: str, default: str = "") -> str:
    """The setting's value without surrounding white space (mounted files end in a newline)."""
    try:
        return str(env.ENVIRON.get(name, default)).strip()
    except OSError as error:
        raise SettingError(f"{name}_FILE cannot be read ({error.strerror}): mount the file or unset it") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{name}_FILE is not UTF-8 text: mount a text file or unset it") from error


def required(name: str, cure: str) -> str:
    """The setting's value; `cure` tells what to set it to."""
    value = text(name)
    if not value:
        raise SettingError(f"{name} is not set: {cure}")
    return value


def secret(name: str, default: str = "") -> str:
    """A value that the logs mask wherever it turns up."""
    value = text(name, default)
    hide(value)
    return value


def hide(value: str) -> None:
    """The logs mask this value from now on, and its form in a URL."""
    secrets.update(form for form in (value, quote(value, safe=""), unquote(value)) if form)


def mount(prefix: str) -> None:
    """Reads the mounted files of settings that a library takes from the environment by itself: `OTEL_…_FILE`."""
    for name in [name for name in os.environ if name.startswith(prefix) and name.endswith("_FILE")]:
        if name not in LIBRARY_FILES:
            read = secret if name.endswith("_HEADERS_FILE") else text  # of a sampler's `1` every log line would be full
            os.environ[name.removesuffix("_FILE")] = read(name.removesuffix("_FILE"))


def boolean(name: str, default: bool) -> bool:
    """`true`, `1`, `yes`, `on` and their opposites, in any case."""
    value = text(name, str(default)).lower()
    if value in {"true", "1", "yes", "on"}:
        return True
    if value in {"false", "0", "no", "off", ""}:
        return False
    raise SettingError(f"{name} is {value!r}: set it to true or false")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """A whole number within bounds."""
    return parsed(name, str(default), int, f"a whole number from {minimum} to {maximum}", range(minimum, maximum + 1))


def hosts(name: str, default: str) -> list[str]:
    """Comma-separated host names, as Django's ALLOWED_HOSTS takes them."""

    def parse(value: str) -> list[str]:
        items = [item.strip() for item in value.split(",") if item.strip()]
        if not items or not all(_HOST.fullmatch(item) for item in items):
            raise ValueError(value)
        return items

    return parsed(name, default, parse, "host names without scheme and port, e.g. api.example.com,.example.org")


def public_url(name: str) -> str:
    """Scheme, host and an optional path, without a trailing slash; empty by default."""

    def parse(value: str) -> str:
        parts = urlsplit(value.rstrip("/"))
        surplus = parts.query or parts.fragment or parts.port == 0
        is_good = parts.scheme in {"http", "https"} and _PUBLIC_HOST.fullmatch(parts.netloc) and not surplus
        if value and not (is_good and _PREFIX.fullmatch(parts.path)):
            raise ValueError(value)
        return parts.geturl()

    return parsed(name, "", parse, "the URL that clients use, e.g. https://api.example.com or https://example.com/shop")


def check_ids(name: str) -> list[str]:
    """Comma-separated IDs of system checks; none by default."""

    def parse(value: str) -> list[str]:
        items = [item.strip() for item in value.split(",") if item.strip()]
        if not all(_CHECK_ID.fullmatch(item) for item in items):
            raise ValueError(value)
        return items

    return parsed(name, "", parse, "IDs that `check --deploy` shows, e.g. users.W011,gateway.W010")


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of `choices`, in any case."""
    return parsed(name, default, str.lower, "one of " + ", ".join(choices), choices)


def parsed(
    name: str,
    default: str,
    parse: Callable[[str], Value],
    wanted: str,
    allowed: "range | tuple[str, ...] | None" = None,
) -> Value:
    """What `parse` makes of the setting; a ValueError from it, or a value outside `allowed`, is the setting's error."""
    raw = text(name, default) or default
    shown = "malformed" if "@" in raw else repr(raw)  # a URL may hold a password
    try:
        value = parse(raw)
    except ValueError as error:
        raise SettingError(f"{name} is {shown}: set it to {wanted}") from error
    if allowed is not None and value not in allowed:
        raise SettingError(f"{name} is {shown}: set it to {wanted}")
    return value
