"""Every shared setting reaches the running site: no star import, no missing name."""

import pytest
from django.conf import settings

from common.config import settings as shelf


@pytest.mark.parametrize("name", sorted(name for name in vars(shelf) if name.isupper() and name != "SHARED_APPS"))
def test_a_shared_setting_reaches_the_site(name: str) -> None:
    if name in {"ALLOWED_HOSTS", "DEBUG"}:  # pytest-django sets these two itself
        assert hasattr(settings, name)
        return
    assert getattr(settings, name) == getattr(shelf, name)


def test_the_shared_apps_are_installed() -> None:
    assert set(shelf.SHARED_APPS) < set(settings.INSTALLED_APPS)
