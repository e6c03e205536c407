"""`move_users`: moves all users to another store, while the service writes."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from common.cli.console import add_format
from users_site.operations import moving
from users_site.operations.hold import release
from users_site.operations.moving import Move
from users_site.operations.store import StoreCommand, address
from users_site.operations.walk import count as users_in
from users_site.repository.keys import Layout


class Command(StoreCommand):
    help = """\
Moves all users and idempotency entries to an empty store while the service continues to write, and compares every user
byte for byte. At the end it makes the old store refuse writes (503 with Retry-After) and copies the last changes. Then start
the service with the new store. The old store keeps refusing writes, so no write is lost.

Set PARTITIONS for the new store; the old store may have a different number.

After an interruption, run the same command again: it copies what differs. Meanwhile the old store accepts writes.
--call-off makes the old store accept writes after a finished move; it does not move back changes made in the new store.
Redis 6 or newer; the user of --from needs the commands CLIENT TRACKING and SUBSCRIBE (in our manifests: operator)."""
    example = "manage_users.py move_users --from redis://operator:password@old:6379/0 --to redis://:password@new:6379/0"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="source", metavar="URL", required=True, help="the store to move away from")
        parser.add_argument("--to", dest="target", metavar="URL", required=True, help="an empty store")
        parser.add_argument("--call-off", action="store_true", help="make the old store accept writes; copy nothing")
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        source, target = address(options["source"], "--from"), address(options["target"], "--to")
        if source == target:
            raise CommandError("--from and --to name the same store", returncode=2)
        with self.errors_of(source):
            source_layout = moving.layout_of(source)
        with self.store(source, source_layout) as old, self.store(target, Layout(settings.PARTITIONS)) as new:
            if options["call_off"]:
                self.say(f"{source} accepts writes again" if release(old) else f"{source} did not refuse writes")
                return
            move = Move(old, new)
            try:
                for what in ("users copied", "users compared"):  # again: compares what the target stored, byte for byte
                    self._pass(move, users_in(old), what)
                move.follow()
                held = move.finish()
            finally:
                move.close()
            count = users_in(new)
        if options["format"] == "json":
            counts = {"count": count, "stored": move.stored, "removed": move.removed}
            self.write_json(counts | {"held_seconds": round(held, 3)})
        else:
            self.stdout.write(f"{count:,} users are equal in both stores")
        partitions = f" and PARTITIONS={new.layout.count}" if new.layout.count != old.layout.count else ""
        self.say(
            f"{source} refuses writes since {held:.1f} s: start the service with REDIS_URL={target}{partitions} now"
        )

    def _pass(self, move: Move, count: int, what: str) -> None:
        progress = self.start_progress(count, what)
        move.copy(progress.update)
        progress.close()
        self.say(progress.summary())
