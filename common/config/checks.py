"""The system checks of both sites, for `manage_*.py check`: the application can be built, and no name in `.env` is misspelt."""

from typing import Any

from django.conf import settings
from django.core.checks import WARNING, CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from common.config import environment


@register()
def application_can_be_built(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Wires everything as at the start, without connecting."""
    try:
        import_string(f"{settings.SITE}.asgi.build")(settings)
    except ImproperlyConfigured as error:
        return [Error(f"The application cannot be built: {error}", id="common.E001")]
    return []


@register()
def names_in_dotenv(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """A misspelt name leaves its setting at the default."""
    return [CheckMessage(WARNING, text, id="common.W001") for text in environment.misspelt()]
