"""`python -m tools.lint.words`: phrases that docs, comments, docstrings, help texts and commit subjects must not contain.

The list is words.toml. Exit code 1 and a line for each finding.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

RULES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
INSTEAD = {re.compile(pattern): words for pattern, words in RULES["instead"].items()}

_CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|https?://\S+", re.DOTALL)


def main() -> int:
    """Checks every tracked file, and the subjects of the commits."""
    found = [*subject_findings(), *(finding for path in tracked() for finding in file_findings(path))]
    for finding in found:
        sys.stderr.write(f"{finding}\n")
    return 1 if found else 0


def tracked() -> Iterator[Path]:
    for name in _git("ls-files").splitlines():
        wanted = any(fnmatch(Path(name).name, pattern) for pattern in RULES["files"])
        if wanted and not name.startswith(tuple(RULES["exclude"])) and Path(name).is_file():
            yield Path(name)


def file_findings(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    for line, prose in _prose(path, text):
        for number, finding in findings(prose):
            yield f"{path}:{line + number}: {finding}"


def findings(prose: str) -> Iterator[tuple[int, str]]:
    """The findings in some prose, each with the number of its line from 0."""
    prose = _CODE.sub(lambda code: "\n" * code[0].count("\n"), prose)
    for pattern, words in INSTEAD.items():
        for found in pattern.finditer(prose):
            yield prose.count("\n", 0, found.start()), f"{found[0].strip()!r}: write {words}"


def subject_findings() -> Iterator[str]:
    """The findings in commit subjects; none where the history does not reach back far enough."""
    for line in _git("log", "--format=%h %s", f"{RULES['subjects_after']}..HEAD").splitlines():
        commit, subject = line.split(" ", 1)
        if len(subject) > RULES["subject_length"]:
            yield f"{commit}: a subject of {len(subject)} characters, at most {RULES['subject_length']}"
        yield from (f"{commit}: {finding}" for _, finding in findings(subject))


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout


def _prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """The prose of a file, each part with its first line."""
    match path.suffix:
        case ".md" | ".html":
            yield 1, text
        case ".py":
            yield from _comments_of_python(text)
            yield from _strings_of_python(text)
        case _:
            sign = "--" if path.suffix == ".lua" else "#"
            for number, line in enumerate(text.splitlines(), 1):
                yield number, line.partition(sign)[2]


def _comments_of_python(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _strings_of_python(text: str) -> Iterator[tuple[int, str]]:
    """Docstrings (of modules, classes, functions and constants) and help texts."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(prose), lineno=line)):
                yield line, prose
            case ast.keyword(arg="help" | "description" | "summary", value=ast.Constant(value=str(prose), lineno=line)):
                yield line, prose


if __name__ == "__main__":
    sys.exit(main())
