"""YAML in which `on`, dates and `=` are text, duplicate keys are refused, and nothing is larger than its file.

Imported only to read YAML: PyYAML, which drf-spectacular brings, slows the start.
"""

import re
from typing import Any, ClassVar

import yaml

from gateway_site.routes.source import Malformed

DEPTH = 100
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast


class _Loader(_Base):  # type: ignore[misc] # chosen above
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _fault(key.start_mark, f"repeats the key {key.value[:60]!r}: write it once")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _name, _pattern, _first in (
    ("null", r"|~|null", ["", "~", "n"]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,99})", [*"-+0123456789"]),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)", [*"-+.0123456789"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), _first)


def read(text: str) -> tuple[Any, yaml.Node]:
    """The document and its nodes, which have line numbers. Raises Malformed."""
    try:
        _check(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        return loader.construct_document(node) if node else None, node
    except yaml.MarkedYAMLError as error:
        raise _fault(error.problem_mark, f"is not YAML: {error.problem}") from None
    except Malformed:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise Malformed(f"is not YAML: {' '.join(str(error).split())}") from None


def _check(text: str) -> None:
    """Raises Malformed for aliases, which can expand beyond all memory, for tags, and for nesting that crashes libyaml."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.AliasEvent):
            raise _fault(event.start_mark, f"has the alias *{str(event.anchor)[:60]}: write the value out")
        if getattr(event, "tag", None):
            raise _fault(event.start_mark, f"has the tag {event.tag[:60]}: remove it")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise _fault(event.start_mark, f"is nested more than {DEPTH} deep")


def _fault(mark: Any, text: str) -> Malformed:
    return Malformed(f"line {mark.line + 1} {text}" if mark else text)
