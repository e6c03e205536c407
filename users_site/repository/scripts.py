"""The atomic steps, one Lua file each; its head says what it takes and answers."""

from pathlib import Path

from packages.redis_pipe.command import Script

_FOLDER = Path(__file__).resolve().parent.parent / "lua"


def _load(name: str) -> Script:
    return Script(name, (_FOLDER / f"{name}.lua").read_text(encoding="utf-8"))


CREATE, REPLACE, DELETE, PAGE, FIND = map(_load, ("create", "replace", "delete", "page", "find"))
LOAD, PUT = map(_load, ("load", "put"))
AGREE_RECORD, AGREE_CLAIM, AGREE_INDEX = map(_load, ("agree_record", "agree_claim", "agree_index"))
