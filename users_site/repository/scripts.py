"""The atomic steps, one Lua file each, with a table of its keys, arguments and answers on top."""

from pathlib import Path

from packages.redis_pipe import Script

_FOLDER = Path(__file__).resolve().parent.parent / "lua"


def _load(name: str, *, read_only: bool = False) -> Script:
    return Script(name, (_FOLDER / f"{name}.lua").read_text(encoding="utf-8"), read_only)


CREATE, REPLACE, DELETE = map(_load, ("create", "replace", "delete"))
FIND = _load("find", read_only=True)
LOAD, PUT = map(_load, ("load", "put"))
AGREE_RECORD, AGREE_CLAIM, AGREE_INDEX = map(_load, ("agree_record", "agree_claim", "agree_index"))
