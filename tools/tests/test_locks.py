"""`python -m tools.lint.locks` finds a lock that no longer fits its input, without an index."""

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


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """What is found between an input and a lock."""
    monkeypatch.chdir(tmp_path)

    def _findings(asked: str, lock: str = LOCK) -> list[str]:
        asked_path, lock_path = tmp_path / "requirements.in", tmp_path / "requirements.txt"
        asked_path.write_text(asked)
        lock_path.write_text(lock)
        return [text.replace(f"{tmp_path}/", "") for text in stale(asked_path, lock_path)]

    return _findings


def test_fitting_lock_has_no_findings(findings):
    assert findings("Django[argon2]>=5.2,<5.3  # the LTS\n") == []


def test_added_name_is_found(findings):
    assert findings("django\nredis\n") == ["requirements.txt has no redis, which requirements.in asks for"]


def test_removed_name_is_found(findings):
    assert findings("sqlparse\n") == ["requirements.txt has django, which requirements.in does not ask for"]


def test_other_version_is_found(findings):
    assert findings("django<5\n") == ["requirements.txt has django 5.2.19, and requirements.in asks for django<5"]


def test_missing_hash_is_found(findings):
    lock = LOCK.replace("    --hash=sha256:bb\n", "")
    assert findings("django\n", lock) == ["requirements.txt has sqlparse without a hash"]


def test_included_lock_in_another_version_is_found(findings, tmp_path):
    (tmp_path / "base.txt").write_text("sqlparse==0.7.0 \\\n    --hash=sha256:cc\n")
    assert findings("-r base.txt\ndjango\n") == ["requirements.txt has another sqlparse than base.txt"]


def test_stale_lock_is_exit_code_1_and_a_line_with_the_cure(findings, tmp_path, capsys):
    for name in NAMES:
        (tmp_path / f"{name}.in").write_text("")
        (tmp_path / f"{name}.txt").write_text("")
    assert main() == 0
    (tmp_path / "requirements-dev.in").write_text("ruff\n")
    assert main() == 1
    cure = "requirements-dev.txt has no ruff, which requirements-dev.in asks for: run `make lock`\n"
    assert capsys.readouterr().err == cure
