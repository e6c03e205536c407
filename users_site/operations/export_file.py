"""The file that `export_users` writes and `import_users` reads: NDJSON, gzip if its name ends in .gz.

    {"format":"users-export","version":1,"created_at":"…","until":"<id>"}      header
    {"id":"…","name":"…",…}                                                    the stored documents, byte for byte,
    …                                                                          by id (that is, by creation), ascending
    {"count":1000000,"sha256":"…"}                                             trailer; without it the file is cut off

The digest is the SHA-256 of all lines between header and trailer, newlines included. Check it:
`gzip -dc FILE | sed '1d;$d' | sha256sum`. The order is fixed, so the same users give the same digest.
"""

import fcntl
import gzip
import hashlib
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import orjson

from users_site.models import timestamp
from users_site.operations.documents import BadDocument, Identity, identify
from users_site.operations.loading import Entry

FORMAT, VERSION = "users-export", 1
STDIO = "-"
MAX_LINE_BYTES = 8192
"""A document has at most 1.6 kB: 200 characters of name and 254 of email, each up to 4 bytes, or 6 if escaped."""
COMPRESSION = 6


class ExportFileError(Exception):
    """The file is not an export, or is damaged or incomplete; the text names the line."""


class CutOff(ExportFileError): ...


class Writer:
    """Writes an export; `until` is the newest id that it may contain."""

    def __init__(self, stream: IO[bytes], until: str) -> None:
        self.until, self.last, self.count = until, "", 0
        self._stream, self._digest = stream, hashlib.sha256()
        header = {"format": FORMAT, "version": VERSION, "created_at": timestamp(), "until": until}
        stream.write(orjson.dumps(header) + b"\n")

    def add(self, documents: list[bytes], last: str) -> None:
        """The next documents; `last` is the id of the last of them."""
        if documents:
            lines = b"\n".join(documents) + b"\n"
            self._digest.update(lines)
            self._stream.write(lines)
            self.count, self.last = self.count + len(documents), last

    def finish(self) -> str:
        """Writes the trailer and returns the digest."""
        digest = self._digest.hexdigest()
        self._stream.write(orjson.dumps({"count": self.count, "sha256": digest}) + b"\n")
        return digest


class Reader:
    """Reads an export line by line and validates everything. After the last entry, `count` and `digest` are set."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.line, self.count, self.digest = 0, 0, ""
        self.header = self._header()

    def entries(self) -> Iterator[Entry]:
        """Every user. Raises ExportFileError; the users before it are valid, except for the digest."""
        before = ""
        while not (line := self._next()).startswith(b'{"count":'):
            identity = self._identify(line)
            if identity.id <= before:
                raise self._fault("this id is not behind the one of the line before")
            before = identity.id
            self._digest.update(line)
            self.count += 1
            yield Entry(identity.id, identity.email, line[:-1], self.line)
        self._check_trailer(line)

    def _header(self) -> dict[str, Any]:
        header = self._object(self._next())
        if header.get("format") != FORMAT:
            raise self._fault("this is no file of export_users")
        if header.get("version") != VERSION:
            raise self._fault(f"this is version {header.get('version')} of the format; version {VERSION} can be read")
        return header

    def _check_trailer(self, line: bytes) -> None:
        trailer, self.digest = self._object(line), self._digest.hexdigest()
        if trailer.get("count") != self.count:
            raise self._fault(f"the trailer counts {trailer.get('count')} users, the file holds {self.count}")
        if trailer.get("sha256") != self.digest:
            raise self._fault("the digest is not that of the lines: the file was changed or damaged")
        if self._read():
            raise self._fault("there is something behind the trailer")

    def _next(self) -> bytes:
        line = self._read()
        if not line.endswith(b"\n"):
            self.line += bool(line)
            if len(line) > MAX_LINE_BYTES:
                raise self._fault("the line is too long")
            raise self._fault("the file is cut off", CutOff)
        self.line += 1
        return line

    def _read(self) -> bytes:
        try:
            return self._stream.readline(MAX_LINE_BYTES + 1)
        except EOFError as error:
            raise self._fault("the file is cut off after this line", CutOff) from error
        except (OSError, zlib.error) as error:
            raise self._fault("the rest of the file cannot be read: damaged, or no gzip file") from error

    def _identify(self, line: bytes) -> Identity:
        try:
            return identify(line[:-1])
        except BadDocument as error:
            raise self._fault(str(error)) from error

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = None
        return value if isinstance(value, dict) else {}

    def _fault(self, problem: str, kind: type[ExportFileError] = ExportFileError) -> ExportFileError:
        return kind(f"line {self.line}: {problem}" if self.line else problem)


@contextmanager
def reading(name: str) -> Iterator[Reader]:
    """The export in a file, or on stdin for `-`. Raises ExportFileError, OSError."""
    with sys.stdin.buffer if name == STDIO else Path(name).open("rb") as raw:
        packed = is_gzip(name)
        with cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb")) if packed else raw as stream:
            yield Reader(stream)


@contextmanager
def writing(path: Path, packed: bool) -> Iterator[IO[bytes]]:
    """A file that only its owner can read, because it contains personal data. It is on disk when the context ends.
    Raises OSError."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            if packed:
                with gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as stream:
                    yield cast(IO[bytes], stream)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk is reported without one
        raise


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """A lock: no other process writes this file or its `.part`. Raises ExportFileError, OSError."""
    name = path.with_name(f"{path.name}.lock")
    with name.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportFileError(f"another export_users writes {path}: wait for it") from error
        try:
            yield
        finally:
            name.unlink(missing_ok=True)


def is_gzip(name: str) -> bool:
    """Whether the file's name selects gzip. Raises ExportFileError for a name of another compression."""
    if name.endswith((".zst", ".zstd", ".bz2", ".xz", ".zip", ".lz4")):
        raise ExportFileError(f"{name}: only gzip is supported: end the name in .gz, or pipe: export_users - | zstd")
    return name.endswith(".gz")
