"""`python -m tools.lint.locks` finds a lock that no longer fits its input, without an index."""

from pathlib import Path

import pytest

from tools.lint.locks import NAMES, main, stale

LOCK = """# written by uv
django==5.2.19 \\
    --hash=sha256:aa
    # via
    #   -r requirements.in
    #   djangorestframework
sqlparse==0.6.1 \\
    --hash=sha256:bb
    # via django
"""


@pytest.mark.parametrize(
    ("asked", "lock", "found"),
    [
        ("Django[argon2]>=5.2,<5.3  # the LTS\n", LOCK, []),
        ("django\nredis\n", LOCK, ["requirements.txt has no redis, which requirements.in asks for"]),
        ("sqlparse\n", LOCK, ["requirements.txt has django, which requirements.in does not ask for"]),
        ("django<5\n", LOCK, ["requirements.txt has django 5.2.19, and requirements.in asks for django<5"]),
        ("django\n", LOCK.replace("--hash=sha256:bb", ""), ["requirements.txt has sqlparse without a hash"]),
        ("-r base.txt\ndjango\n", LOCK, ["requirements.txt has another sqlparse than base.txt"]),
    ],
    ids=["fits", "name added", "name removed", "other version", "no hash", "other version in an included lock"],
)
def test_differences_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, lock: str, found: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.txt").write_text("sqlparse==0.7.0 \\\n    --hash=sha256:cc\n")
    Path("requirements.in").write_text(asked)
    Path("requirements.txt").write_text(lock)
    assert list(stale(Path("requirements.in"), Path("requirements.txt"))) == found


def test_stale_lock_is_exit_code_1_and_a_line_with_the_cure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        (tmp_path / f"{name}.in").write_text("")
        (tmp_path / f"{name}.txt").write_text("")
    assert main() == 0
    (tmp_path / "requirements-dev.in").write_text("ruff\n")
    assert main() == 1
    cure = "requirements-dev.txt has no ruff, which requirements-dev.in asks for: run `make lock`\n"
    assert capsys.readouterr().err == cure
