"""Reads settings from the environment with django-environ. The error of a missing or malformed one is one line with its
name and the cure.

`NAME_FILE` reads a mounted file; a `.env` file in the working directory sets what the environment does not. An empty
value counts as not set.
"""

import os
import re
from collections.abc import Callable, Collection
from difflib import get_close_matches
from io import StringIO
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv
from environ.fileaware_mapping import FileAwareMapping

Value = TypeVar("Value")

_HOST = re.compile(r"\.?[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]|\*")
_PUBLIC_HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_CHECK_ID = re.compile(r"[a-z0-9_]+\.[A-Z]\d{3}")
# A quote must be closed at the end of the line: otherwise it and a comment after it would become part of the value.
_DOTENV_LINE = re.compile(r"""(?:export )?([A-Za-z_0-9]+)=(?:(["']).*\2\s*|(?!["']).*)|#.*|\s*""")

DOTENV = ".env"
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")

LIBRARY_FILES = frozenset({"OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"})
"""Settings of OpenTelemetry whose value is a path."""

secrets: set[str] = set()
"""Values that no log line may show; `hide()` fills it."""


_asked: set[str] = set()
_in_dotenv: set[str] = set()


class SettingError(ImproperlyConfigured):
    """One setting is missing or malformed; the text names it and the cure."""


class Stripped(FileAwareMapping):  # type: ignore[misc]
    """The environment without surrounding white space (mounted files end in a newline) and empty values."""

    def __getitem__(self, name: str) -> str:
        try:
            value = str(super().__getitem__(name)).strip()
        except OSError as error:
            raise SettingError(f"{name}_FILE cannot be read ({error.strerror}): mount the file or unset it") from error
        except UnicodeDecodeError as error:
            raise SettingError(f"{name}_FILE is not UTF-8 text: mount a text file or unset it") from error
        if not value:
            raise KeyError(name)
        return value


class Env(FileAwareEnv):  # type: ignore[misc]
    """django-environ's reader on `Stripped`; it reads a file at each access."""

    ENVIRON = Stripped(cache=False)


env = Env()


def read_dotenv(path: str = "") -> None:
    """Fills the environment from the file, if there is one. Raises SettingError with the number of a malformed line."""
    path = path or DOTENV
    try:
        if not Path(path).is_file():
            return
        content = Path(path).read_text("utf-8-sig")  # some editors begin a file with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} cannot be read: make it UTF-8 and readable, or remove it") from error
    for number, line in enumerate(content.splitlines(), start=1):
        found = _DOTENV_LINE.fullmatch(line)
        if not found:
            raise SettingError(f"{path} line {number} is malformed: write NAME=value, or # before a comment")
        if found[1] and path == DOTENV:
            _in_dotenv.add(found[1])
    env.read_env(StringIO(content))


def misspelt() -> list[str]:
    """A sentence for each name in `.env` that resembles a setting but is none. Call it after the settings are read."""
    unknown = sorted(name for name in _in_dotenv - _asked if name.removesuffix("_FILE") not in _asked)
    near = [(name, get_close_matches(name, _asked, 1, 0.85)) for name in unknown]
    return [f"{DOTENV} sets {name}, which is no setting: do you mean {found[0]}?" for name, found in near if found]


def text(name: str, default: str = "") -> str:
    _asked.add(name)
    return str(env.ENVIRON.get(name, default))


def required(name: str, cure: str) -> str:
    """The setting's value; `cure` says how to set it."""
    value = text(name)
    if not value:
        raise SettingError(f"{name} is not set: {cure}")
    return value


def secret(name: str, default: str = "") -> str:
    """A value that the logs mask everywhere."""
    value = text(name, default)
    hide(value)
    return value


def hide(value: str) -> None:
    """Makes the logs mask this value, and its form in a URL."""
    secrets.update(form for form in (value, quote(value, safe=""), unquote(value)) if form)


def mount(prefix: str) -> None:
    """Reads the mounted files of settings that a library takes from the environment directly: `OTEL_…_FILE`."""
    for name in [name for name in os.environ if name.startswith(prefix) and name.endswith("_FILE")]:
        if name not in LIBRARY_FILES:
            # Only headers are masked: masking a sampler's `1` would blank every log line.
            read = secret if name.endswith("_HEADERS_FILE") else text
            os.environ[name.removesuffix("_FILE")] = read(name.removesuffix("_FILE"))


def boolean(name: str, *, default: bool) -> bool:
    """`true`, `1`, `yes`, `on` and their opposites, in any case; env.bool takes any other word for false."""
    return choice(name, str(default).lower(), (*TRUE, *FALSE), "true or false") in TRUE


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    wanted = f"a whole number from {minimum} to {maximum}"
    return parsed(name, str(default), int, wanted, range(minimum, maximum + 1))


def hosts(name: str, default: str) -> list[str]:
    """Comma-separated host names, as for Django's ALLOWED_HOSTS; at least one."""
    wanted = "host names without scheme and port, e.g. api.example.com,.example.org"
    return parsed(name, default, _listed(_HOST, least=1), wanted)


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


def networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Comma-separated CIDRs; none by default."""

    def parse(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(item.strip()) for item in value.split(",") if item.strip())

    return parsed(name, "", parse, "CIDRs like 10.0.0.0/8,192.168.0.1/32")


def check_ids(name: str) -> list[str]:
    """Comma-separated IDs of system checks; none by default."""
    return parsed(name, "", _listed(_CHECK_ID), "IDs that `check --deploy` shows, e.g. users.W011,gateway.W010")


def _listed(pattern: re.Pattern[str], least: int = 0) -> Callable[[str], list[str]]:
    def parse(value: str) -> list[str]:
        items = [item.strip() for item in value.split(",") if item.strip()]
        if len(items) < least or not all(pattern.fullmatch(item) for item in items):
            raise ValueError(value)
        return items

    return parse


def choice(name: str, default: str, choices: Collection[str], wanted: str = "") -> str:
    return parsed(name, default, str.lower, wanted or "one of " + ", ".join(choices), choices)


def parsed(
    name: str, default: str, parse: Callable[[str], Value], wanted: str, allowed: Collection[Any] | None = None
) -> Value:
    """The setting, parsed by `parse`. Its ValueError, or a value outside `allowed`, becomes a SettingError."""
    raw = text(name, default)
    try:
        value = parse(raw)
        if allowed is not None and value not in allowed:
            raise ValueError
    except ValueError as error:
        shown = "malformed" if "@" in raw else repr(raw[:100])  # a URL may hold a password
        raise SettingError(f"{name} is {shown}: set it to {wanted}") from error
    return value
