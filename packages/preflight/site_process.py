"""Run as a process of its own, with a pod's environment: what the named site says of itself, as JSON.

python -m packages.preflight.site_process users_site /health/live /metrics
"""

import json
import os
import sys
from importlib import import_module


def main(module: str, paths: list[str]) -> dict[str, object]:
    """With paths: the views that serve them. Without: the error that its settings raise, or what they say."""
    from django.core.exceptions import ImproperlyConfigured

    os.environ["DJANGO_SETTINGS_MODULE"] = f"{module}.settings"
    if paths:
        return {"views": _views(paths)}
    try:
        settings = import_module(f"{module}.settings")
    except ImproperlyConfigured as error:
        return {"error": str(error)}
    return {
        "error": None,
        "drain_seconds": settings.DRAIN_SECONDS,
        "grace_seconds": settings.GRACE_SECONDS,
        "allowed_hosts": list(settings.ALLOWED_HOSTS),
    }


def _views(paths: list[str]) -> dict[str, str]:
    import django
    from django.urls import Resolver404, resolve

    django.setup(set_prefix=False)
    found = {}
    for path in paths:
        try:
            found[path] = getattr(resolve(path).func, "__name__", "view")
        except Resolver404:
            continue
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2:])))
