"""Where a table comes from: a TOML or YAML file, or pairs like `/api/orders=http://order-service:3002/orders`."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MAX_BYTES = 1 << 20
LINE = re.compile(
    r"""^[ \t]*(?:\[\[[ \t]*(routes)[ \t]*\]\]|\[[ \t]*upstreams[ \t]*\.[ \t]*"?([^"\]\s]{1,80})"?[ \t]*\])""",
    re.MULTILINE,
)


class Malformed(ValueError):
    """The text is one line with the place, the fault and the cure."""


@dataclass(frozen=True)
class Source:
    """`places`: the place of a route (by its number) or an upstream (by its name). `folder`: of the files that it
    names."""

    routes: list[Any]
    upstreams: dict[str, Any] = field(default_factory=dict)
    scopes: Any = field(default_factory=list)
    places: dict[int | str, str] = field(default_factory=dict)
    folder: Path = Path()

    def place(self, key: int | str) -> str:
        return self.places.get(key, f"route {key + 1}" if isinstance(key, int) else f"upstream {key}")


def state_of(path: Path) -> object:
    """Changes when the file does."""
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino


def is_file(text: str) -> bool:
    """Whether ROUTES is the path of a file, not pairs."""
    return text != "" and "=" not in text


def read(text: str) -> Source:
    """The table that the setting ROUTES describes. Raises Malformed."""
    return _file(Path(text)) if is_file(text) else _pairs(text)


def _pairs(text: str) -> Source:
    routes: list[Any] = []
    places: dict[int | str, str] = {}
    for number, pair in enumerate(item.strip() for item in text.split(",") if item.strip()):
        prefix, _, url = pair.partition("=")
        try:
            parts = urlsplit(url.strip())
        except ValueError:
            parts = None
        if parts is None or not parts.netloc or parts.query or parts.fragment:
            raise Malformed(f"{pair[:100]!r}: write it like /api/orders=http://order-service:3002/orders")
        routes.append(
            {
                "prefix": prefix.strip(),
                "upstream": f"{parts.scheme}://{parts.netloc}",
                "rewrite": parts.path.rstrip("/"),
            }
        )
        places[number] = f"route {prefix.strip()}"
    return Source(routes, places=places)


def content(path: Path, wanted: str = "mount a TOML or YAML file") -> str:
    """The file's text. Raises Malformed, also for a path whose reading would not end."""
    try:
        if path.exists() and not path.is_file():
            raise Malformed(f"{path} is no file: {wanted}")
        with path.open("rb") as file:
            found = file.read(MAX_BYTES + 1)
        if len(found) > MAX_BYTES:
            raise Malformed(f"{path} is larger than {MAX_BYTES} bytes: make it smaller")
        return found.decode("utf-8-sig")
    except OSError as error:
        raise Malformed(f"{path} cannot be read ({error.strerror}): {wanted}") from None
    except UnicodeDecodeError:
        raise Malformed(f"{path} is not UTF-8 text: {wanted}") from None


def _file(path: Path) -> Source:
    text = content(path)
    document, lines = _toml(path, text) if path.suffix == ".toml" else _yaml(path, text)
    if not isinstance(document, dict) or not document.keys() <= {"routes", "upstreams", "scopes"}:
        raise Malformed(f"{path} line 1: the file has routes, upstreams and scopes, and nothing else")
    routes, upstreams = document.get("routes", []), document.get("upstreams", {})
    if not isinstance(routes, list) or not isinstance(upstreams, dict):
        raise Malformed(f"{path} line 1: make routes a list ([[routes]] in TOML), and upstreams a table of names")
    places = {key: f"{path} line {line}" for key, line in lines.items()}
    return Source(routes, upstreams, document.get("scopes", []), places, path.parent)


def _toml(path: Path, text: str) -> tuple[Any, dict[int | str, int]]:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise Malformed(f"{path} is not TOML: {error}") from None
    lines: dict[int | str, int] = {}
    count, number, end = 0, 1, 0
    for found in LINE.finditer(text):
        number, end = number + text.count("\n", end, found.start()), found.start()
        if found[1]:
            lines[count] = number
            count += 1
        else:
            lines[found[2]] = number
    return document, lines


def _yaml(path: Path, text: str) -> tuple[Any, dict[int | str, int]]:
    from gateway_site.routes import yaml_file  # loaded for a YAML file only

    try:
        document, node = yaml_file.read(text)
    except Malformed as error:
        raise Malformed(f"{path} {error}") from None
    lines: dict[int | str, int] = {}
    for key, value in (node and document and isinstance(document, dict) and node.value) or ():
        if key.value == "routes" and isinstance(document["routes"], list):
            lines |= {number: item.start_mark.line + 1 for number, item in enumerate(value.value)}
        elif key.value == "upstreams" and isinstance(document["upstreams"], dict):
            lines |= {str(name.value): name.start_mark.line + 1 for name, _ in value.value}
    return document, lines
