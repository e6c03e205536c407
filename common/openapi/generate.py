"""From described views to the schema's text."""

from functools import lru_cache
from importlib import import_module
from typing import Any

import orjson
import yaml
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from users_contract import contracts


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The site's schema. Its `schema` module has the described `urlpatterns`, the `INFO`, and may `finish` it."""
    site = import_module(settings.SCHEMA_MODULE)
    generator = SchemaGenerator(patterns=site.urlpatterns)  # type: ignore[no-untyped-call]
    generated: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    generated["info"] = {**site.INFO, "version": settings.APP_VERSION.partition("+")[0]}
    for operations in generated["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
    tighten(generated["components"]["schemas"])
    finish = getattr(site, "finish", None)
    if finish is not None:
        finish(generated)
    return generated


def tighten(components: dict[str, Any]) -> None:
    """What DRF's serializers know and drf-spectacular does not say."""
    for name, component in components.items():
        if component.get("type") != "object":
            continue
        # Validators of this format refuse a local part above 64 characters (RFC 5321 §4.5.3.1.1), which we take.
        component["properties"].get("email", {}).pop("format", None)
        if name.endswith("Request"):
            component["additionalProperties"] = False
            constrain(component["properties"])
        elif name != "Problem":
            # An answer always has all of its fields.
            component["required"] = list(component["properties"])

    # RFC 7396: null takes the role away, and it falls back to its default.
    components["PatchedUserRequest"]["properties"]["role"] = {
        "oneOf": [{"$ref": "#/components/schemas/Role"}, {"type": "null"}],
        "description": "What the user may do; null is the default.",
    }


def constrain(properties: dict[str, Any]) -> None:
    """The rules of contracts.py as patterns, so that clients and fuzzers know them."""
    if "name" in properties:
        # The pattern counts to 200 after trimming, which maxLength cannot.
        del properties["name"]["maxLength"]
        properties["name"] |= {"minLength": 1, "pattern": contracts.NAME_PATTERN}
    if "email" in properties:
        properties["email"] |= {"minLength": 3, "pattern": contracts.EMAIL_PATTERN}


@lru_cache(maxsize=2)
def text(form: str) -> bytes:
    """The schema as `json` or `yaml`."""
    if form == "json":
        return orjson.dumps(schema(), option=orjson.OPT_INDENT_2) + b"\n"
    return yaml.safe_dump(schema(), sort_keys=False, allow_unicode=True, width=120).encode()
