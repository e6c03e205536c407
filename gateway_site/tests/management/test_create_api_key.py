"""create_api_key: a key shown once, and its line for the file of keys."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from django.core.management import CommandError

from gateway_site.guard.api_keys import ApiKeys
from gateway_site.guard.principal import SCOPES
from gateway_site.tests.management.conftest import called
from tests.programs import manage


def known(folder: Path, line: str) -> ApiKeys:
    (folder / "keys").write_text(line)
    return ApiKeys(folder / "keys", SCOPES)


def test_the_key_is_valid_with_its_line_and_only_the_line_is_on_stdout(tmp_path: Path) -> None:
    done = manage("create_api_key", "--name", "reporting", "--scopes", "users:read,users:write")
    assert done.returncode == 0
    (key,) = re.findall(r"ugk_\S+", done.stderr)
    assert done.stdout.count("\n") == 1
    assert key not in done.stdout
    found = asyncio.run(known(tmp_path, done.stdout).check(key.encode()))
    assert (found.label, found.scopes) == ("key:reporting", {"users:read", "users:write"})


def test_json_has_both_and_every_key_is_different(tmp_path: Path) -> None:
    made, other = (
        orjson.loads(called("create_api_key", "--name", "a", "--expires", "30d", "--format", "json")[0])
        for _ in range(2)
    )
    assert asyncio.run(known(tmp_path, made["line"]).check(made["key"].encode())).scopes == {"users:read"}
    assert re.fullmatch(r"ugk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", made["key"]), "12 digits and 256 bits"
    until = datetime.fromisoformat(made["line"].split()[3])
    assert 29 <= (until - datetime.now(UTC)).days <= 30
    assert (made["key"] != other["key"], made["line"].split()[-1] != other["line"].split()[-1]) == (True, True)


def test_a_scope_of_another_route_is_granted_with_a_note() -> None:
    line, said = called("create_api_key", "--name", "a", "--scopes", "orders:read,users:read")
    assert line.split()[2] == "orders:read,users:read"
    assert "/api/users never requires orders:read:" in said


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--name", "two words"],
        ["--name", ""],
        ["--name", "a", "--scopes", "admin"],
        ["--name", "a", "--scopes", ""],
        ["--name", "a", "--expires", "soon"],
        ["--name", "a", "--expires", "2020-01-01"],
        ["--name", "a", "--expires", "0d"],
    ],
    ids=str,
)
def test_wrong_usage_is_one_line(wrong: list[str]) -> None:
    with pytest.raises(CommandError, match=r"^[^\n]+$"):
        called("create_api_key", *wrong)
