"""`seed_users`: fills a store with made-up users."""

import secrets
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from common.cli.console import add_format, whole
from users_site.operations.bulk import Bulk
from users_site.operations.loading import load
from users_site.operations.seed import entries, has_real_people, ids, people
from users_site.operations.store import StoreCommand
from users_site.operations.walk import count as users_in

MAX_COUNT = 10_000_000
"""What a store of 8 GiB holds."""


class Command(StoreCommand):
    help = """\
Creates sample users through the same atomic scripts as the API. Addresses are at example.com, .org and .net (RFC 2606).

The same --seed gives the same users (IDs and times differ); without --seed every run gives different ones. Users whose
email exists are skipped, so you can run the command twice, or again after Ctrl-C.

With DEBUG=false, a store with addresses of other domains counts as a production store: adding to it requires
--production, and --clear always requires --yes --production. --clear deletes every user: stop the service first."""
    example = "manage_users.py seed_users --count 1000 --seed demo\n  manage_users.py seed_users --count 5 --print-ids"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--count", type=whole(0, MAX_COUNT), required=True, metavar="N", help=f"how many users, up to {MAX_COUNT:,}"
        )
        parser.add_argument("--seed", metavar="S", help="any text; the same text gives the same users")
        parser.add_argument("--clear", action="store_true", help="delete all users first; asks unless --yes")
        parser.add_argument("--print-ids", action="store_true", help="print each user's ID, also of skipped ones")
        add_format(parser)
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--production", action="store_true", help="confirm that this is a production store")

    def handle(self, *args: Any, **options: Any) -> None:
        is_json = options["format"] == "json"
        if is_json and options["print_ids"]:
            raise CommandError("--print-ids and --format json both use stdout: give one", returncode=2)
        with self.store() as bulk:
            if options["clear"]:
                self._clear(bulk, options)
            elif not options["production"] and not settings.DEBUG and has_real_people(bulk):
                raise CommandError(f"{bulk.address} has users with real addresses: give --production to confirm")
            seed = secrets.token_hex(4) if options["seed"] is None else options["seed"]
            progress, created = self.start_progress(options["count"], "users"), 0
            for loaded in load(bulk, entries(islice(people(seed), options["count"]))):
                progress.update(len(loaded.entries))
                created += loaded.created
                if options["print_ids"]:
                    self.stdout.write("\n".join(ids(loaded)))
        progress.close()
        skipped = progress.n - created
        if is_json:
            counts = {"seed": seed, "created": created, "skipped": skipped}
            self.write_json(counts | {"seconds": round(progress.seconds, 3)})
        note = f", {skipped:,} already there" if skipped else ""
        if options["count"] or not options["clear"]:
            self.say(f"{progress.summary(created, 'users seeded')}{note}; --seed {seed}")

    def _clear(self, bulk: Bulk, options: dict[str, Any]) -> None:
        count = users_in(bulk)
        if not settings.DEBUG and not (options["yes"] and options["production"]):
            raise CommandError(f"{bulk.address} is in production (DEBUG=false): --clear needs --yes and --production")
        if not options["yes"]:
            self.confirm(f"Delete all {count:,} users of {bulk.address}?")
        bulk.clear()
        self.say(f"{count:,} users deleted")
