"""The base of the commands that work on the store."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management.base import CommandError

from common.cli.console import Command
from packages.redis_pipe import Address
from users_site.operations.bulk import Bulk
from users_site.operations.export_file import ExportFileError
from users_site.repository import address_of
from users_site.repository.errors import RepositoryError, StoreUnavailable
from users_site.repository.keys import Layout


class StoreCommand(Command):
    """A command whose one-line errors include those of the store."""

    failures: tuple[type[Exception], ...] = (OSError, RepositoryError, ExportFileError)

    @contextmanager
    def store(self, address: Address | None = None, layout: Layout | None = None) -> Iterator[Bulk]:
        """A store, that of the settings by default; closed at the end."""
        with self.errors_of(address or address_of(settings)):
            bulk = Bulk(address, layout)
            try:
                yield bulk
            finally:
                bulk.close()

    @contextmanager
    def errors_of(self, address: Address) -> Iterator[None]:
        """Errors of a store name its address."""
        try:
            yield
        except StoreUnavailable as error:
            raise CommandError(f"{address}: {error}{self.position()}") from error


def address(url: str, option: str) -> Address:
    """The store's address in an option. Raises CommandError."""
    try:
        return Address.from_url(url, "the URL")
    except ValueError as error:
        raise CommandError(f"{option}: {error}", returncode=2) from error
