"""`seed_users`: fills a store with made-up users."""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from common.cli.console import FORMATS, at_least
from users_site import identifiers
from users_site.models import User
from users_site.operations.bulk import Bulk
from users_site.operations.documents import email_of
from users_site.operations.loading import Entry, Loaded, load
from users_site.operations.people import is_made_up, people
from users_site.operations.store import StoreCommand

SAMPLE = 100
"""How many of the newest users are looked at to recognise a production store."""

SAME_TIME = 100
"""Users that share a created_at: made within a millisecond."""


class Command(StoreCommand):
    help = """\
Creates sample users through the same atomic scripts as the API. Addresses are at example.com, .org and .net (RFC 2606).

The same --seed gives the same users (IDs and times differ); without --seed every run gives different ones. Users whose
email exists are skipped, so you can run the command twice, or again after Ctrl-C.

With DEBUG=false, a store with addresses of other domains counts as a production store: adding to it requires
--production, and --clear always requires --yes --production. --clear deletes every user: stop the service first."""
    example = "manage_users.py seed_users --count 1000 --seed demo\n  manage_users.py seed_users --count 5 --print-ids"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", type=at_least(0), required=True, metavar="N", help="how many users")
        parser.add_argument("--seed", metavar="S", help="any text; the same text gives the same users")
        parser.add_argument("--clear", action="store_true", help="delete all users first; asks unless --yes")
        parser.add_argument("--print-ids", action="store_true", help="print each user's ID, also of skipped ones")
        parser.add_argument("--format", choices=FORMATS, default="text", help="of the summary; json goes to stdout")
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
                raise CommandError(f"{bulk.address} holds people with real addresses: give --production if you mean it")
            seed = secrets.token_hex(4) if options["seed"] is None else options["seed"]
            progress, created = self.start_progress(options["count"], "users seeded"), 0
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
        self.say(f"{progress.summary(created)}{note}; --seed {seed}")

    def _clear(self, bulk: Bulk, options: dict[str, Any]) -> None:
        count = bulk.count()
        if not settings.DEBUG and not (options["yes"] and options["production"]):
            raise CommandError(f"{bulk.address} is in production (DEBUG=false): --clear needs --yes and --production")
        if not options["yes"]:
            self.confirm(f"Delete all {count:,} users of {bulk.address}?")
        bulk.clear()
        self.say(f"{count:,} users deleted")


def entries(persons: Iterator[tuple[str, str, str]]) -> Iterator[Entry]:
    """A user for each person, created now, in the order of their ids."""
    milliseconds = 0
    while group := sorted(islice(persons, SAME_TIME), key=lambda person: identifiers.bits_of(person[1])):
        milliseconds = max(milliseconds + 1, time.time_ns() // 1_000_000)
        now = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        user_ids = sorted(identifiers.id_at(milliseconds, identifiers.bits_of(email)) for _, email, _ in group)
        for user_id, (name, email, role) in zip(user_ids, group, strict=True):
            yield Entry(user_id, email, User(user_id, name, email, role, now, now).document())


def ids(loaded: Loaded) -> list[str]:
    """The ids of a batch's users; for one whose email is taken, the id that holds it."""
    holders = {conflict.entry.id: conflict.holder for conflict in loaded.conflicts}
    return [holders.get(entry.id) or entry.id for entry in loaded.entries]


def has_real_people(bulk: Bulk) -> bool:
    """Whether one of the newest users has an address that a person may have."""
    return any(not is_made_up(email_of(document)) for document in bulk.newest(SAMPLE))
