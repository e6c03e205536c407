"""Rules: credentials where everybody who may read manifests, logs or `ps` can read them."""

import re
from collections.abc import Iterator

from packages.preflight.objects import Rendering, items, mapping, text
from packages.preflight.pods import workloads
from packages.preflight.violation import Violation

NAME = re.compile(r"PASSW(OR)?D|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE_?KEY|API_?KEYS?$|ACCESS_?KEY", re.IGNORECASE)
HARMLESS_NAME = re.compile(r"(_FILE|_PATH|_NAME|_TTL|_SECONDS|_URL|_HEADER|_DIR|_ARN)$", re.IGNORECASE)
URL_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?P<password>[^/\s@]+)@", re.IGNORECASE)
PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
CONFIG_LINE = re.compile(r"^\s*(requirepass|masterauth|sentinel auth-pass \S+)\s+\S", re.MULTILINE)
FLAG = re.compile(
    r"^--?(requirepass|masterauth|([a-z]+-)*(password|pass|token|secret|api-?key))(=(?!true$|false$)(?P<value>.)|$)",
    re.IGNORECASE,
)
UNKNOWN = re.compile(r"^(\*+|\$\(.*\)|\$\{.*\}|<.*>|true|false|yes|no|on|off|)$", re.IGNORECASE)
CURE = "put it into a Secret, mounted as a file (NAME_FILE)"


def _leak(name: str, value: str) -> str | None:
    """What of a value is a credential; None where nothing is."""
    if PEM.search(value):
        return "a private key"
    url = URL_PASSWORD.search(value)
    if url and not UNKNOWN.match(url["password"]):
        return "a password within a URL"
    if NAME.search(name) and not HARMLESS_NAME.search(name) and not UNKNOWN.match(value):
        return "a credential"
    return "a password in a configuration file" if CONFIG_LINE.search(value) else None


def config_maps(rendering: Rendering) -> Iterator[Violation]:
    """A credential in a ConfigMap."""
    for config in rendering.of("ConfigMap"):
        for name, value in mapping(config.data, "data").items():
            leak = _leak(str(name), str(value))
            if leak:
                yield Violation(
                    str(config),
                    f"key {name} holds {leak}",
                    "whoever may read the namespace's ConfigMaps, or the repository, has it",
                    CURE,
                )


def variables(rendering: Rendering) -> Iterator[Violation]:
    """A credential written into a pod's environment or onto a command line."""
    for workload in workloads(rendering):
        for container in workload.containers:
            for variable in items(container.data, "env"):
                leak = _leak(text(variable, "name"), text(variable, "value"))
                if leak:
                    yield Violation(
                        str(workload),
                        f"{text(variable, 'name')} of container {container.name} is {leak}",
                        "whoever may read the workload, or the repository, has it",
                        CURE,
                    )
            words = container.command_line
            for word, following in zip(words, [*words[1:], ""], strict=False):
                flag = FLAG.match(word)
                shown = (
                    URL_PASSWORD.search(word)
                    or re.search(r"\b(redis|valkey)-cli\b.*\s-a\s", word)
                    or (re.fullmatch("-a", word) and any("-cli" in each for each in words))
                )
                if shown or (flag and (flag["value"] or following)):
                    yield Violation(
                        str(workload),
                        f"container {container.name} has a password on its command line ({word.split('=')[0].split(' ')[0]})",
                        "every process list and audit log shows it, also when it comes from a Secret",
                        "let the process read a mounted file",
                    )
                    break


def probes(rendering: Rendering) -> Iterator[Violation]:
    """A credential on a probe's command line."""
    for workload in workloads(rendering):
        for container in workload.containers:
            for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
                words = " ".join(str(word) for word in mapping(container.data, kind, "exec").get("command") or [])
                if re.search(r"-cli\b.*\s(-a|--pass)\s", words):
                    yield Violation(
                        str(workload),
                        f"{kind} of container {container.name} has a password on its command line",
                        "every process list on the node shows it",
                        "read it from a mounted file into REDISCLI_AUTH",
                    )
