"""The mutants of a module: mutmut's operators, applied to functions that are already loaded."""

import ast
import gc
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, cast

from libcst import ClassDef, CSTNode, FunctionDef, Module
from mutmut.mutation.file_mutation import Mutation, create_mutations, deep_replace

STRICT = re.compile(r", (strict=\w+)?(?=\))")

Place = str
"""A file and the qualified name of a function in it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name`: the function and the changed lines, so that it outlives a change elsewhere."""

    name: str
    path: str
    function: str
    tree: Module
    mutation: Mutation

    @property
    def place(self) -> Place:
        return f"{self.path}:{self.function}"

    def apply(self, loaded: FunctionType) -> None:
        """Changes the function in this process, wherever it is referred to."""
        source = replaced(self.tree, self.mutation)
        code, definition = compile(source, self.path, "exec"), cast(Any, ast.parse(source))
        for name in self.function.split("."):
            code = next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name)
            definition = next(each for each in definition.body if getattr(each, "name", None) == name)
        loaded.__code__ = code
        set_defaults(loaded, definition.args)


def set_defaults(function: FunctionType, arguments: ast.arguments) -> None:
    def value(default: ast.expr) -> object:
        return eval(ast.unparse(default), function.__globals__)  # noqa: S307 - our own source

    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    function.__defaults__ = tuple(value(each) for each in arguments.defaults)
    function.__kwdefaults__ = {each.arg: value(default) for each, default in named if default}


def place_of(code: CodeType) -> Place:
    return f"{code.co_filename}:{code.co_qualname}"


def loaded_functions() -> dict[Place, FunctionType]:
    """All of this process; also those that a decorator hides."""
    return {place_of(each.__code__): each for each in gc.get_objects() if type(each) is FunctionType}


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Without those that only change the case of a text (field names, codecs and messages stay what they are), or `strict` of
    `zip` (an assertion of ours).
    """
    tree, mutations, *_ = create_mutations(str(path), path.read_text())
    functions: dict[Any, str] = dict(functions_of(tree.body))
    seen: Counter[str] = Counter()
    for mutation in mutations:
        definition = mutation.contained_by_top_level_function
        function = functions.get(definition)
        if function is None:  # runs at import
            continue
        before, after = rendered(definition), replaced(definition, mutation)
        if STRICT.sub("", before).lower() == STRICT.sub("", after).lower():
            continue
        name = f"{module_of(path)}.{function}: {difference(before, after)}"
        seen[name] += 1
        numbered = name if seen[name] == 1 else f"{name} #{seen[name]}"
        yield Mutant(numbered, str(path.resolve()), function, tree, mutation)


def functions_of(body: Sequence[CSTNode], prefix: str = "") -> Iterator[tuple[FunctionDef, str]]:
    """Those of a module and of its classes, with their qualified names."""
    for each in body:
        if isinstance(each, ClassDef):
            yield from functions_of(each.body.body, f"{prefix}{each.name.value}.")
        elif isinstance(each, FunctionDef):
            yield each, prefix + each.name.value


def replaced(node: Any, mutation: Mutation) -> str:
    return rendered(deep_replace(node, mutation.original_node, mutation.mutated_node))


def rendered(node: Any) -> str:
    code: str = node.code if isinstance(node, Module) else Module([]).code_for_node(node)
    return code


def difference(before: str, after: str) -> str:
    """The changed lines."""
    old, new = before.splitlines(), after.splitlines()
    first, last = equal(old, new), equal(old[::-1], new[::-1])
    return f"{joined(old[first : len(old) - last])} → {joined(new[first : len(new) - last])}"


def equal(some: list[str], others: list[str]) -> int:
    """How many lines are equal from the first on."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)
