"""The base of the commands that work on the store."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management.base import CommandError

from common.cli.console import Command
from users_site.operations.bulk import Bulk
from users_site.repository import address_of
from users_site.repository.errors import RepositoryError, StoreUnavailable


class StoreCommand(Command):
    """A command whose one-line errors include those of the store."""

    failures: tuple[type[Exception], ...] = (OSError, RepositoryError)

    @contextmanager
    def store(self) -> Iterator[Bulk]:
        """The store of the settings, closed at the end."""
        try:
            bulk = Bulk()
            try:
                yield bulk
            finally:
                bulk.close()
        except StoreUnavailable as error:
            raise CommandError(f"{address_of(settings)}: {error}{self.position()}") from error
