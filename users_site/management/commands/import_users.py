"""`import_users`: stores the users of an export."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.cli.console import add_format, file_name
from users_site.operations.bulk import Bulk
from users_site.operations.export_file import STDIO, Reader, reading
from users_site.operations.loading import Conflict, Loaded, load
from users_site.operations.replacing import replace
from users_site.operations.store import StoreCommand

POLICIES = ("fail", "skip", "replace")


class Command(StoreCommand):
    help = """\
Reads a file written by export_users (gzip if its name ends in .gz), or stdin for -. IDs, times and bytes stay the same.
It refuses a damaged, incomplete or foreign file before it writes anything. It can read a pipe only once: a damaged line stops
the import at that point. It stores each user completely, with claim and index entry, or not at all.

It skips users that exist unchanged: after an interruption, run the same command again.
A conflict is a different document with the same ID, or another user with the same email:
  fail     stop at the first one and print its line; batches of 100 before it are stored (the default)
  skip     keep the stored user
  replace  store the file's user, and delete the user in conflict (with PARTITIONS=1 in the same step, otherwise before)"""
    example = (
        "manage_users.py import_users users.ndjson.gz\n  zstd -dc users.ndjson.zst | manage_users.py import_users -"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=file_name, metavar="FILE|-", help="what to read; - for stdin")
        parser.add_argument("--on-conflict", choices=POLICIES, default="fail", help="see above")
        parser.add_argument("--check", action="store_true", help="read the file, write nothing")
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        name, is_json = options["file"], options["format"] == "json"
        counts = {"created": 0, "unchanged": 0, "skipped": 0, "replaced": 0}
        if options["check"]:
            read = self._check(name)
            if is_json:
                self.write_json({"file": name, "count": read.count, "sha256": read.digest})
            else:
                self.stdout.write(_whole(name, read))
            return
        total = None
        if name != STDIO:
            read = self._check(name)
            self.say(_whole(name, read))
            total = read.count
        with self.store() as bulk, reading(name) as reader:
            progress = self.start_progress(total, "users read")
            for loaded in load(bulk, reader.entries(), stop_at_conflict=options["on_conflict"] == "fail"):
                self._settle(bulk, loaded, options["on_conflict"], counts)
                progress.update(len(loaded.entries))
        progress.close()
        if is_json:
            result = {"file": name, "count": reader.count, "sha256": reader.digest, **counts}
            self.write_json(result | {"seconds": round(progress.seconds, 3)})
        else:
            parts = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
            self.stdout.write(f"{reader.count:,} users ({parts or 'none'}), sha256 {reader.digest}")
        self.say(progress.summary())

    def _check(self, name: str) -> Reader:
        """Reads the file to its end. Raises ExportFileError."""
        progress = self.start_progress(None, "users read")
        with reading(name) as reader:
            for _ in reader.entries():
                progress.update(1)
        progress.close()
        return reader

    def _settle(self, bulk: Bulk, loaded: Loaded, policy: str, counts: dict[str, int]) -> None:
        if loaded.conflicts and policy == "fail":
            kept, stored = f"nothing from line {loaded.entries[0].line} on", f"{sum(counts.values()):,} users before it"
            if bulk.layout.count > 1:  # a batch has users of one partition, and two may be in flight
                kept, stored = "nothing of its batch", f"at least {sum(counts.values()):,} other users"
            raise CommandError(
                f"{_explain(loaded.conflicts[0])}; {kept} was stored, {stored} are; --on-conflict skip or replace goes on"
            )
        if loaded.conflicts and policy == "replace":
            replace(bulk, [conflict.entry for conflict in loaded.conflicts])
        counts["skipped" if policy == "skip" else "replaced"] += len(loaded.conflicts)
        counts["created"] += loaded.created
        counts["unchanged"] += loaded.unchanged


def _whole(name: str, reader: Reader) -> str:
    made = reader.header.get("created_at", "an unknown time")
    return f"{name} is whole: {reader.count:,} users, sha256 {reader.digest}, of {made}"


def _explain(conflict: Conflict) -> str:
    entry = conflict.entry
    if conflict.holder:
        return f"line {entry.line}: the email of {entry.id} is held by {conflict.holder}"
    return f"line {entry.line}: the store has another document of {entry.id}"
