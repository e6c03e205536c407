"""Compares two JSON Schemas of an OpenAPI document: what one allows and the other does not."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

Schema = dict[str, Any]

LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
FORMS = ("pattern", "format")
TRIES = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TYPES = frozenset({"array", "boolean", "null", "number", "object", "string"})


def expand(schema: Schema, components: Schema) -> Schema:
    """The schema without `$ref`, `allOf`, `oneOf` and `anyOf` at its top; `type` is a set, `enum` a list or absent."""
    if "$ref" in schema:
        *_, name = schema["$ref"].split("/")
        schema = {**components[name], **{key: value for key, value in schema.items() if key != "$ref"}}
        return expand(schema, components)
    whole = {key: value for key, value in schema.items() if key not in {"allOf", "oneOf", "anyOf", "const"}}
    if "const" in schema:
        whole["enum"] = [schema["const"]]
    for part in schema.get("allOf", []):
        whole = merge(whole, expand(part, components))
    variants = [expand(part, components) for part in [*schema.get("oneOf", []), *schema.get("anyOf", [])]]
    if variants:
        whole = merge(whole, either(variants))
    return {**whole, "type": types(whole)}


def types(schema: Schema) -> frozenset[str]:
    given = schema.get("type", TYPES)
    return frozenset([given] if isinstance(given, str) else given)


def merge(whole: Schema, part: Schema) -> Schema:
    merged = {**part, **whole, "type": types(whole) & types(part)}
    for key in ("properties", "required"):
        if key in whole and key in part:
            merged[key] = {**part[key], **whole[key]} if key == "properties" else [*part[key], *whole[key]]
    return merged


def either(variants: list[Schema]) -> Schema:
    """One of several: all their types and values; the constraints of the only one that is not null."""
    real = [variant for variant in variants if variant["type"] != {"null"}]
    union: Schema = dict(real[0]) if len(real) == 1 else {}
    union["type"] = frozenset().union(*(variant["type"] for variant in variants))
    if real and all("enum" in variant for variant in real):
        values = [value for variant in real for value in variant["enum"]]
        union["enum"] = values if len(real) == len(variants) else [*values, None]
    return union


def losses(wide: Schema, narrow: Schema) -> Iterator[str]:
    """What the first (expanded) schema allows and the second does not, without their fields and items."""
    gone = wide["type"] - narrow["type"]
    # Every integer is a number (JSON Schema 2020-12 §6.1.1).
    if gone - ({"integer"} if "number" in narrow["type"] else set()):
        yield f"type {', '.join(sorted(gone))} is not allowed"
    if "enum" in narrow:
        for value in wide.get("enum", ["any other value"]):
            if value not in narrow["enum"]:
                yield f"value {value} is not allowed"
    yield from lost_bounds(wide, narrow)
    for name in FORMS:
        if name in narrow and narrow[name] != wide.get(name):
            if name == "pattern" and name in wide and seems_wider(narrow[name], wide[name]):
                continue
            yield f"{name} is {narrow[name]} and not {wide.get(name, 'free')}"
    if narrow.get("additionalProperties", True) is False and wide.get("additionalProperties", True) is not False:
        yield "unknown fields are not allowed"


def lost_bounds(wide: Schema, narrow: Schema) -> Iterator[str]:
    for names, is_narrower in ((LEAST, float.__gt__), (MOST, float.__lt__)):
        for name in names:
            if name in narrow and (name not in wide or is_narrower(float(narrow[name]), float(wide[name]))):
                yield f"{name} is {narrow[name]} and not {wide.get(name, 'unlimited')}"


@lru_cache(maxsize=64)  # many places share a pattern
def seems_wider(pattern: str, other: str) -> bool:
    """Whether the first pattern accepts all samples of the second. Not a proof: 100 texts find what an edit omitted."""

    @TRIES
    @given(st.from_regex(re.sub(r"(?<!\\)\$$", r"\\Z", other)))
    def every(text: str) -> None:
        if not re.search(pattern, text):
            raise LookupError(text)

    try:
        every()
    except (LookupError, re.error):
        return False
    return True


def shape(schema: Schema) -> Schema:
    return {key: schema[key] for key in ("type", "enum") if key in schema}
