"""`python -m tools.schema.diff`: the breaking changes of docs/openapi/*.yaml since the last release,
docs/openapi/released/*.yaml.

Prints a sentence for each, with the clients that it breaks; exit code 1. A release copies its schemas to `released/`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from tools.run.services import ROOT
from tools.schema.references import inlined
from tools.schema.shapes import Schema, expand, losses, shape

FOLDER = ROOT / "docs" / "openapi"
SITES = ("gateway", "users")

Break = tuple[str, str, str]
"""Where, what, and which clients it breaks."""


def main(folder: Path = FOLDER) -> int:
    failed = False
    for site in SITES:
        files = (folder / "released" / f"{site}.yaml", folder / f"{site}.yaml")
        old, new = (inlined(yaml.load(file.read_text(), yaml.CSafeLoader)) for file in files)
        for where, what, whom in breaks(old, new):
            failed = True
            sys.stderr.write(f"{site} {old['info']['version']}: {where}: {what}: breaks {whom}\n")
    return 1 if failed else 0


def breaks(old: Schema, new: Schema) -> Iterator[Break]:
    """Everything that a client of `old` can no longer rely on."""
    for path, item in old["paths"].items():
        if path not in new["paths"]:
            yield path, "the path is gone", "whoever calls it: 404"
            continue
        for method, operation in item.items():
            where = f"{method.upper()} {path}"
            if method not in new["paths"][path]:
                yield where, "the operation is gone", "whoever calls it: 405"
                continue
            yield from Comparison(old, new).operation(where, operation, new["paths"][path][method])


def is_open(operation: Schema) -> bool:
    ways = operation.get("security", [])
    return not ways or {} in ways


class Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self.old = old.get("components", {}).get("schemas", {})
        self.new = new.get("components", {}).get("schemas", {})

    def operation(self, where: str, old: Schema, new: Schema) -> Iterator[Break]:
        if old["operationId"] != new["operationId"]:
            what = f"its operationId is {new['operationId']} and not {old['operationId']}"
            yield where, what, "whoever generates a client anew: the method has another name"
        if is_open(old) and not is_open(new):
            yield where, "a credential is required now", "whoever sends none: 401"
        yield from self.parameters(where, old, new)
        yield from self.request(where, old.get("requestBody"), new.get("requestBody"))
        for status, response in old["responses"].items():
            at = f"{where} → {status}"
            if status not in new["responses"]:
                yield at, "the status is gone", "whoever acts on it: it never comes"
            else:
                yield from self.response(at, response, new["responses"][status])

    def parameters(self, where: str, old: Schema, new: Schema) -> Iterator[Break]:
        before, after = (
            {(given["in"], given["name"]): given for given in operation.get("parameters", [])}
            for operation in (old, new)
        )
        for place, name in sorted(before.keys() - after.keys()):
            yield f"{where}, {place} {name}", "the parameter is gone", "whoever sends it: it has no effect"
        for key, parameter in after.items():
            at, known = f"{where}, {key[0]} {key[1]}", before.get(key)
            if parameter.get("required") and not (known or {}).get("required"):
                yield at, "the parameter is required now", "whoever does not send it: 400"
            if known:
                yield from self.sent(at, known.get("schema", {}), parameter.get("schema", {}))

    def request(self, where: str, old: Schema | None, new: Schema | None) -> Iterator[Break]:
        at = f"{where}, body"
        if new and new.get("required") and not (old or {}).get("required"):
            yield at, "the body is required now", "whoever sends none: 400"
        for media_type, content in (old or {}).get("content", {}).items():
            accepted = (new or {}).get("content", {})
            if media_type not in accepted:
                yield f"{at} {media_type}", "the media type is gone", "whoever sends it: 415"
            else:
                yield from self.sent(f"{at} {media_type}", content["schema"], accepted[media_type]["schema"])

    def response(self, where: str, old: Schema, new: Schema) -> Iterator[Break]:
        for name, header in old.get("headers", {}).items():
            now = new.get("headers", {}).get(name)
            if now is None or (header.get("required") and not now.get("required")):
                what = "gone" if now is None else "not always sent"
                yield f"{where}, header {name}", f"the header is {what}", "whoever reads it"
            else:
                yield from self.read(f"{where}, header {name}", header.get("schema", {}), now.get("schema", {}))
        for media_type, content in old.get("content", {}).items():
            if media_type not in new.get("content", {}):
                yield f"{where} {media_type}", "the media type is gone", "whoever reads it"
            else:
                yield from self.read(f"{where} {media_type}", content["schema"], new["content"][media_type]["schema"])

    def sent(self, where: str, old: Schema, new: Schema) -> Iterator[Break]:
        before, after = expand(old, self.old), expand(new, self.new)
        for loss in losses(before, after):
            yield where, f"{loss} any more", "whoever sends that: 400"
        fields, known = after.get("properties", {}), before.get("properties", {})
        for name in sorted(set(after.get("required", [])) - set(before.get("required", []))):
            yield f"{where}, {name}", "the field is required now", "whoever does not send it: 400"
        for name, field in known.items():
            if name in fields:
                yield from self.sent(f"{where}, {name}", field, fields[name])
            elif after.get("additionalProperties", True) is False:
                yield f"{where}, {name}", "the field is gone", "whoever sends it: 400"
        if "items" in before and "items" in after:
            yield from self.sent(f"{where}, items", before["items"], after["items"])

    def read(self, where: str, old: Schema, new: Schema) -> Iterator[Break]:
        """A value that clients read: breaks if something is missing or has a new form."""
        before, after = expand(old, self.old), expand(new, self.new)
        for loss in losses(shape(after), shape(before)):
            yield where, f"it may be what it never was: {loss} by the old schema", "typed clients that read it"
        fields, known = after.get("properties", {}), before.get("properties", {})
        for name, field in known.items():
            at = f"{where}, {name}"
            if name not in fields:
                yield at, "the field is gone", "whoever reads it"
                continue
            if name in before.get("required", []) and name not in after.get("required", []):
                yield at, "the field is not always there", "whoever reads it"
            yield from self.read(at, field, fields[name])
        for key in ("items", "additionalProperties"):
            if isinstance(before.get(key), dict) and isinstance(after.get(key), dict):
                yield from self.read(f"{where}, {key}", before[key], after[key])


if __name__ == "__main__":
    sys.exit(main())
