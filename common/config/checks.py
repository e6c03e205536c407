"""The system check of both sites: the application can be built. `manage_*.py check` runs it."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


@register()
def application_can_be_built(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Wires everything as the start does, and connects to nothing."""
    try:
        import_string(f"{settings.SITE}.asgi.build")(settings)
    except ImproperlyConfigured as error:
        return [Error(f"The application cannot be built: {error}", id="common.E001")]
    return []
