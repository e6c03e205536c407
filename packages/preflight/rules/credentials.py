"""Credentials in manifests, where every reader of the namespace or the repository finds them."""

import re
from itertools import zip_longest

from packages.preflight.objects import Manifest, items, mapping, text, texts
from packages.preflight.pods import Container
from packages.preflight.registry import Hits, rule
from packages.preflight.rendering import Rendering

# Each begins with a literal or an anchor and repeats within bounds: linear on any text.
_NAME = re.compile(
    r"PASSW(OR)?D|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE_?KEY|API_?KEYS?$|ACCESS_?KEY", re.IGNORECASE
)
_HARMLESS_NAME = re.compile(r"(_FILE|_PATH|_NAME|_TTL|_SECONDS|_URL|_HEADER|_DIR|_ARN)$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"://[^/\s:@]{0,256}:(?P<password>[^/\s@]{1,1024})@")
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_CONFIG_LINE = re.compile(
    r"^[ \t]{0,80}(requirepass|masterauth|sentinel auth-pass \S{1,253})[ \t]{1,80}\S", re.MULTILINE
)
_FLAG = re.compile(
    r"--?(requirepass|masterauth|([a-z]{1,40}-){0,8}(password|pass|token|secret|api-?key))(=(?!true$|false$).|$)",
    re.IGNORECASE,
)
_CLI_PASSWORD = re.compile(r"\b(redis|valkey)-cli\b[^\n]{0,300}?\s(-a|--pass)\s")
_PLACEHOLDER = re.compile(r"\*+|\$\(.{0,200}\)|\$\{.{0,200}\}|<.{0,200}>|true|false|yes|no|on|off|", re.IGNORECASE)
CURE = "put it into a Secret, mounted as a file (NAME_FILE)"


def _leak(name: str, value: str) -> str | None:
    if _PEM.search(value):
        return "a private key"
    url = _URL_PASSWORD.search(value)
    if url and not _PLACEHOLDER.fullmatch(url["password"]):
        return "a password within a URL"
    is_number = re.fullmatch(r"[\d.]{1,20}[a-z]{0,2}", value) and "PASS" not in name.upper()  # a time, a count
    is_named = _NAME.search(name) and not _HARMLESS_NAME.search(name)
    if is_named and "\n" not in value and not is_number and not _PLACEHOLDER.fullmatch(value):
        return "a credential"
    return "a password in a configuration file" if _CONFIG_LINE.search(value) else None


@rule("M620", "ConfigMap", why="every reader of ConfigMaps, or of the repository, has it", cure=CURE)
def credential_in_a_config_map(_: Rendering, config: Manifest) -> Hits:
    for name, value in mapping(config.data, "data").items():
        if leak := _leak(str(name), str(value)):
            yield f"key {name} holds {leak}"


@rule("M621", "containers", why="every reader of the workload, or of the repository, has it", cure=CURE)
def credential_in_a_variable(_: Rendering, container: Container) -> Hits:
    for variable in items(container.data, "env"):
        if leak := _leak(text(variable, "name"), text(variable, "value")):
            yield f"{text(variable, 'name')} is {leak}"


@rule("M622", "containers", why="every process list shows it, even from a Secret", cure="read a mounted file")
def credential_on_a_command_line(rendering: Rendering, container: Container) -> Hits:
    words = container.command_line
    is_cli = any("-cli" in each for each in words)
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        flag, url = _FLAG.match(word), _URL_PASSWORD.search(word)
        is_url = url and not _PLACEHOLDER.fullmatch(url["password"])
        value = word.partition("=")[2] or following
        is_given = value and (rendering.is_ours(container) or not _PLACEHOLDER.fullmatch(value))
        if is_url or _CLI_PASSWORD.search(word) or (word == "-a" and is_cli) or (flag and is_given):
            yield f"has a password on its command line ({word.split('=')[0].split(' ')[0][:80]})"
            break
    for kind, probe in container.probes():
        if _CLI_PASSWORD.search(" ".join(texts(probe, "exec", "command"))):
            yield f"{kind} has a password on its command line"
