"""`export_users`: writes every user to a file or a pipe."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.cli.console import add_format, file_name
from users_site.operations.bulk import Bulk
from users_site.operations.documents import BadDocument, identify
from users_site.operations.export_file import STDIO, CutOff, ExportFileError, Writer, alone, is_gzip, reading, writing
from users_site.operations.findings import text
from users_site.operations.store import StoreCommand
from users_site.operations.walk import count, newest_id, walk, without_index, without_record
from users_site.repository.pages import Place

CURE = "run verify_users --repair first"


class Command(StoreCommand):
    help = """\
Writes every user to FILE (gzip if its name ends in .gz), or to stdout for -. The format is NDJSON: a header, the stored
documents in order of creation, a trailer with count and SHA-256. It writes to FILE.part, which replaces FILE when
it is complete; --resume continues FILE.part after an interruption. The export fails, and replaces nothing, if a record has no
index entry, or an index entry has no record.

Consistency: a user that exists from start to end appears exactly once, with a document that it had at some moment of the
export. Users created after the start are missing; users deleted meanwhile may appear. An email that moves from one
user to another during the export may appear twice or not at all."""
    example = "manage_users.py export_users users.ndjson.gz\n  manage_users.py export_users - | zstd > users.ndjson.zst"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=file_name, metavar="FILE|-", help="where to write; - for stdout")
        parser.add_argument("--resume", action="store_true", help="continue the FILE.part of an interrupted run")
        parser.add_argument("--skip-broken", action="store_true", help="omit records that are not valid users")
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Writes the summary with the digest to stdout, or to stderr if the export is on stdout."""
        name, is_json = options["file"], options["format"] == "json"
        if name == STDIO and (options["resume"] or is_json):
            raise CommandError("--resume and --format json need a FILE", returncode=2)
        self._skipped, self._skips = 0, options["skip_broken"]
        with self.store() as bulk:
            progress = self.start_progress(count(bulk), "users exported")
            with self._writer(name, newest_id(bulk), resume=options["resume"]) as writer:
                for places, documents in walk(bulk, writer.last, writer.until):
                    writer.add(self._valid(bulk, places, documents), places[-1][0].decode(errors="replace"))
                    progress.update(len(places))
                _require_all_indexed(bulk)
                digest = writer.finish()
        progress.close()
        if is_json:
            result = {"file": name, "count": writer.count, "skipped": self._skipped, "sha256": digest}
            self.write_json(result | {"seconds": round(progress.seconds, 3)})
        else:
            left_out = f", {self._skipped:,} broken ones left out" if self._skipped else ""
            summary = f"{writer.count:,} users{left_out}, sha256 {digest}"
            (self.say if name == STDIO else self.stdout.write)(summary)
        self.say(progress.summary(writer.count))

    @contextmanager
    def _writer(self, name: str, until: str, *, resume: bool) -> Iterator[Writer]:
        if name == STDIO:
            yield Writer(sys.stdout.buffer, until)
            sys.stdout.buffer.flush()
            return
        packed, target, part = is_gzip(name), Path(name), Path(f"{name}.part")
        # The rest of a run that was stopped while it copied the part of an earlier one.
        old = Path(f"{name}.old.gz" if packed else f"{name}.old")
        for path in (target, part, old):
            if path.exists() and not path.is_file():
                raise CommandError(f"{path} is not a regular file: name one, or - for stdout")
        with alone(target):
            if resume and not old.exists():
                if not part.exists():
                    raise CommandError(f"there is no {part} to continue")
                part.rename(old)
            with writing(part, packed) as stream:
                yield self._copy(old, stream, until) if resume else Writer(stream, until)
            part.replace(target)
            old.unlink(missing_ok=True)

    def _copy(self, old: Path, stream: Any, until: str) -> Writer:
        """Copies the complete lines of a stopped export to the new one."""
        try:
            with reading(str(old)) as reader:
                writer = Writer(stream, str(reader.header.get("until", until)))
                with suppress(ExportFileError):  # cut off by the stop
                    for entry in reader.entries():
                        writer.add([entry.document], entry.id)
        except CutOff:  # stopped before its first line was on disk
            writer = Writer(stream, until)
        if self.progress is not None:
            self.progress.update(writer.count)
        self.say(f"{writer.count:,} users were in the file already")
        return writer

    def _valid(self, bulk: Bulk, places: list[Place], documents: list[bytes | None]) -> list[bytes]:
        missing = [place for place, document in zip(places, documents, strict=True) if document is None]
        if missing and (lost := without_record(bulk, missing)):  # the others were deleted between two reads
            raise CommandError(f"the index names {text(lost[0])}, whose record is missing: {CURE}")
        return [
            document
            for (user_id, _), document in zip(places, documents, strict=True)
            if document is not None and self._is_valid(user_id, document)
        ]

    def _is_valid(self, user_id: bytes, document: bytes) -> bool:
        try:
            if identify(document).id.encode() != user_id:
                raise BadDocument("it is the document of another id")
        except BadDocument as error:
            self._skipped += 1
            problem = f"the record of {text(user_id)} is not a valid user: {error}"
            if not self._skips:
                raise CommandError(f"{problem}; verify_users lists them all, --skip-broken omits them") from error
            self.say(problem)
            return False
        return True


def _require_all_indexed(bulk: Bulk) -> None:
    """Raises CommandError where a record is not in the index that the export was read from."""
    if strays := [text(key) for key in islice(without_index(bulk), 3)]:
        raise CommandError(f"users are missing from the index, and so from the export ({', '.join(strays)}, …): {CURE}")
