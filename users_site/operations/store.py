"""The base of the commands that work on the store."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from common.cli.console import Command
from users_site.operations.bulk import Bulk
from users_site.repository.errors import RepositoryError, StoreUnavailable


class StoreCommand(Command):
    """A command whose one-line errors are the store's too."""

    failures: tuple[type[Exception], ...] = (OSError, RepositoryError)

    @contextmanager
    def store(self) -> Iterator[Bulk]:
        """The store that the settings name, closed at the end."""
        bulk = Bulk()
        try:
            yield bulk
        except StoreUnavailable as error:
            raise CommandError(f"{bulk.address}: {error}{self.position()}") from error
        finally:
            bulk.close()
