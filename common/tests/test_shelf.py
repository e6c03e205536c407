"""Every shared setting reaches the running site: no star import, no missing name."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

from common.config import settings as shelf


def assigned(path: Path) -> set[str]:
    """The upper-case names that a module's own statements assign."""
    tree = ast.parse(path.read_text())
    targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()}


@pytest.mark.parametrize("name", sorted(assigned(Path(shelf.__file__)) - {"SHARED_APPS"}))
def test_a_shared_setting_reaches_the_site(name: str) -> None:
    if name in {"ALLOWED_HOSTS", "DEBUG"}:  # pytest-django sets these two itself
        assert hasattr(settings, name)
        return
    assert getattr(settings, name) == getattr(shelf, name)


def test_the_shared_apps_are_installed() -> None:
    assert set(shelf.SHARED_APPS) < set(settings.INSTALLED_APPS)
