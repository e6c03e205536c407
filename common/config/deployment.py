"""`check --deploy` for the settings of both sites; each site reports the faults under its own IDs."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning

KUBERNETES_GRACE_SECONDS = 30
"""The default terminationGracePeriodSeconds; SIGKILL follows."""

SECRET_KEY_LENGTH, SECRET_KEY_CHARACTERS = 32, 12
WELL_KNOWN = ("changeme", "change-me", "insecure", "secret", "password", "example", "default", "only-for", "for tests")

Fault = tuple[int, str, str]
"""A number, the fault, the cure."""


def warnings(site: str, faults: Iterator[Fault]) -> list[CheckMessage]:
    """The faults as Django's warnings: `users.W003`."""
    return [CheckWarning(text, hint=hint, id=f"{site}.W{number:03d}") for number, text, hint in faults]


def shared_faults() -> Iterator[Fault]:
    """1 to 5: DEBUG, SECRET_KEY, ALLOWED_HOSTS, drain."""
    if settings.DEBUG:
        yield 1, "DEBUG is true: errors show details, the browsable API is on", "set DEBUG=false"
    if problem := weakness(settings.SECRET_KEY):
        yield 2, f"SECRET_KEY {problem}", "set SECRET_KEY (or SECRET_KEY_FILE) to what `openssl rand -base64 48` prints"
    if wide := [host for host in settings.ALLOWED_HOSTS if "*" in host or host in {".", ""}]:
        yield 3, f"ALLOWED_HOSTS accepts every Host header ({', '.join(wide)})", "list the names that clients use"
    whole = settings.DRAIN_SECONDS + settings.GRACE_SECONDS
    if whole >= KUBERNETES_GRACE_SECONDS:
        yield (
            4,
            (
                f"a stop may take {whole} s (DRAIN_SECONDS {settings.DRAIN_SECONDS}, then {settings.GRACE_SECONDS} for "
                f"requests in flight); Kubernetes kills after {KUBERNETES_GRACE_SECONDS} s by default"
            ),
            "lower DRAIN_SECONDS or the time-outs, or raise terminationGracePeriodSeconds above the sum",
        )
    if settings.DRAIN_SECONDS == 0:
        yield (
            5,
            "DRAIN_SECONDS is 0: during a roll-out, proxies still send requests to the closed port",
            "leave it at 5: proxies need a few seconds to remove an endpoint",
        )


def weakness(key: Any) -> str:
    """The weakness of a SECRET_KEY, without showing it; "" if it has none."""
    text = str(key)
    if len(text) < SECRET_KEY_LENGTH:
        return f"has less than {SECRET_KEY_LENGTH} characters"
    if len(set(text)) < SECRET_KEY_CHARACTERS:
        return f"has less than {SECRET_KEY_CHARACTERS} different characters"
    if any(word in text.lower() for word in WELL_KNOWN):
        return "looks like a placeholder"
    return ""
