"""`export_users`: every user into a file or a pipe."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.cli.console import FORMATS
from users_site.operations.documents import BadDocument, identify
from users_site.operations.export_file import STDIO, ExportFileError, Writer, is_gzip, reading, writing
from users_site.operations.store import StoreCommand
from users_site.repository.errors import RepositoryError


class Command(StoreCommand):
    help = """\
Writes every user to FILE (gzip if its name ends in .gz), or to stdout for -. The format is NDJSON: a header, the stored
documents in order of creation, a trailer with count and SHA-256. The export is in FILE.part until it is complete, then
replaces FILE; --resume continues FILE.part after an interruption.

Consistency: a user that exists from start to end appears exactly once, as a document that was stored at some moment of
the export. Users created after the start are missing; users deleted meanwhile may appear. An email that moves from one
user to another meanwhile may appear twice or not at all."""
    example = "manage_users.py export_users users.ndjson.gz\n  manage_users.py export_users - | zstd > users.ndjson.zst"
    failures: tuple[type[Exception], ...] = (OSError, RepositoryError, ExportFileError)

    def add_arguments(self, parser: CommandParser) -> None:
        """Of `parser`."""
        parser.add_argument("file", metavar="FILE|-", help="where to write; - for stdout")
        parser.add_argument("--resume", action="store_true", help="continue the FILE.part of an interrupted run")
        parser.add_argument("--skip-broken", action="store_true", help="omit records that are not valid users")
        parser.add_argument("--format", choices=FORMATS, default="text", help="format of the summary")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exports; the summary with the digest goes to stdout, or to stderr where stdout is the export."""
        name, is_json = options["file"], options["format"] == "json"
        if name == STDIO and (options["resume"] or is_json):
            raise CommandError("--resume and --format json need a FILE", returncode=2)
        with self.store() as bulk:
            progress = self.start_progress(bulk.count(), "users exported")
            self._skipped, self._skips = 0, options["skip_broken"]
            until = bulk.newest_id()
            with self._writer(name, until, resume=options["resume"]) as writer:
                for ids, documents in bulk.documents(writer.last, writer.until):
                    writer.add(self._valid(ids, documents), ids[-1])
                    progress.add(len(ids))
                digest = writer.finish()
        progress.clear()
        if is_json:
            result = {"file": name, "count": writer.count, "skipped": self._skipped, "sha256": digest}
            self.write_json(result | {"seconds": round(progress.seconds, 3)})
        else:
            left_out = f", {self._skipped:,} broken ones left out" if self._skipped else ""
            summary = f"{writer.count:,} users{left_out}, sha256 {digest}"
            (self.say if name == STDIO else self.stdout.write)(summary)
        self.say(progress.summary())

    @contextmanager
    def _writer(self, name: str, until: str, *, resume: bool) -> Iterator[Writer]:
        if name == STDIO:
            yield Writer(sys.stdout.buffer, until)
            sys.stdout.buffer.flush()
            return
        packed, part = is_gzip(name), Path(f"{name}.part")
        # What is left of a run that was stopped while it copied what an earlier one had left.
        old = Path(f"{name}.old.gz" if packed else f"{name}.old")
        if resume and not old.exists():
            if not part.exists():
                raise CommandError(f"there is no {part} to go on with")
            part.rename(old)
        with writing(part, packed) as stream:
            yield self._copy(old, stream) if resume else Writer(stream, until)
        part.replace(name)
        old.unlink(missing_ok=True)

    def _copy(self, old: Path, stream: Any) -> Writer:
        """What is whole of a stopped export, into the new one."""
        with reading(str(old)) as reader:
            writer = Writer(stream, reader.header["until"])
            with suppress(ExportFileError):  # it was cut off: that is why we are here
                for entry in reader.entries():
                    writer.add([entry.document], entry.id)
        if self.progress is not None:
            self.progress.add(writer.count)
        self.say(f"{writer.count:,} users were there already")
        return writer

    def _valid(self, ids: list[str], documents: list[bytes | None]) -> list[bytes]:
        valid = []
        for user_id, document in zip(ids, documents, strict=True):
            if document is None:  # deleted between two reads
                continue
            try:
                if identify(document).id != user_id:
                    raise BadDocument("it is the document of another id")
                valid.append(document)
            except BadDocument as error:
                self._skipped += 1
                text = f"the record of {user_id} is no valid user: {error}"
                if not self._skips:
                    raise CommandError(f"{text}; verify_users finds all such, --skip-broken leaves them out") from error
                self.say(text)
        return valid
