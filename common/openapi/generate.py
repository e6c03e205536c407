import re
from collections.abc import Hashable
from functools import lru_cache
from importlib import import_module
from typing import Any

import orjson
import yaml
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from common.openapi.components import EXAMPLES
from common.openapi.naming import name_components

INFO = {
    "license": {"name": "MIT", "identifier": "MIT"},
    "contact": {"name": "The platform team", "url": "https://github.com/devops-challenge/users-gateway"},
}
SERVICE = {"name": "service", "description": "Health and version of the service."}


@lru_cache(maxsize=1)
def schema(*given: Hashable) -> dict[str, Any]:
    """The site's document. Its `schema` module has the described `urlpatterns`, `INFO`, `TAGS`, `EXAMPLES` and
    `finish`, whose argument is `given`."""
    site = import_module(settings.SCHEMA_MODULE)
    generator = SchemaGenerator(patterns=site.urlpatterns)  # type: ignore[no-untyped-call]
    generated: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    generated["info"] = {**INFO, **site.INFO, "version": settings.APP_VERSION.partition("+")[0]}
    generated["servers"] = [{"url": settings.PUBLIC_URL or "/"}]
    generated["tags"] = [*site.TAGS, SERVICE]
    for operations in generated["paths"].values():
        for operation in operations.values():
            operation.setdefault("security", [])
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
    tighten(generated["components"]["schemas"])
    name_components(generated, EXAMPLES | site.EXAMPLES)
    site.finish(generated, *given)
    return generated


def tighten(components: dict[str, Any]) -> None:
    """Adds constraints of DRF's serializers that drf-spectacular omits."""
    for name, component in components.items():
        if "enum" in component:
            _enumerate(component)
        if component.get("type") != "object":
            continue
        properties = component["properties"]
        for field in properties.values():
            field.pop("readOnly", None)  # requests have their own schemas
            if field.get("format") == "email":
                del field["format"]  # it allows ASCII only
        if name.endswith("Request"):
            component["additionalProperties"] = False
        else:
            # A request may omit a field with a default; an answer has it.
            filled = [field for field, definition in properties.items() if definition.pop("default", None) is not None]
            component["required"] = sorted({*component["required"], *filled})


def _enumerate(component: dict[str, Any]) -> None:
    if len(component["enum"]) == 1:
        component["const"] = component.pop("enum")[0]
    else:
        component["x-enum-varnames"] = [re.sub(r"[^A-Z0-9]", "_", value.upper()) for value in component["enum"]]


@lru_cache(maxsize=2)
def text(form: str, *given: Hashable) -> bytes:
    if form == "json":
        return orjson.dumps(schema(*given), option=orjson.OPT_INDENT_2) + b"\n"
    tree = orjson.loads(text("json", *given))  # nothing in it is shared, so YAML needs no aliases
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120).encode()
