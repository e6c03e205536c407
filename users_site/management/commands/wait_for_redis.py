"""`wait_for_redis`: returns when the store can be used."""

import asyncio
import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from common.cli.console import whole
from users_site import repository
from users_site.operations.store import StoreCommand
from users_site.repository.errors import RepositoryError, WrongLayout

PAUSE_SECONDS = 0.2


class Command(StoreCommand):
    help = "Waits until Redis is usable: connected, authenticated, data loaded. Exits 1 at the time-out."
    example = "manage_users.py wait_for_redis --timeout 30 && manage_users.py verify_users"
    started = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--timeout", type=whole(1, 86_400), default=30, metavar="S", help="seconds (default: 30)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        deadline = self.started + options["timeout"]
        address = repository.address_of(settings)
        while True:
            try:
                asyncio.run(_probe())
            except WrongLayout as error:  # which no waiting changes
                raise CommandError(str(error)) from error
            except RepositoryError as error:
                if time.monotonic() + PAUSE_SECONDS >= deadline:
                    seconds = options["timeout"]
                    raise CommandError(f"{address} cannot be used after {seconds} s: {error}") from error
            else:
                self.say(f"{address} answers after {time.monotonic() - self.started:.1f} s")
                return
            time.sleep(PAUSE_SECONDS)

    def position(self) -> str:
        return f" after {time.monotonic() - self.started:.1f} s"


async def _probe() -> None:
    users = repository.connect(settings, is_quiet=True)
    try:
        await users.probe()
    finally:
        await users.close()
