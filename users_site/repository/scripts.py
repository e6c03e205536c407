"""The atomic steps, one Lua file each, which begins with a table of its keys, arguments and answers.

The first key and the first argument of each are the epoch of the layout; it refuses a store with another epoch.
"""

from pathlib import Path

from packages.redis_pipe import Script

_FOLDER = Path(__file__).resolve().parent.parent / "lua"
_EPOCH = """\
if (redis.call('GET', KEYS[1]) or '1') ~= ARGV[1] then
    return redis.error_reply('EPOCH the store has another layout')
end
"""


def _load(name: str, *, operation: str = "", read_only: bool = False) -> Script:
    return Script(operation or name, _EPOCH + (_FOLDER / f"{name}.lua").read_text(encoding="utf-8"), read_only)


CREATE, DELETE = map(_load, ("create", "delete"))
REPLACE, COMMIT = _load("replace", operation="update"), _load("commit", operation="update")
BEGIN, CLAIM, SETTLE, ABORT = map(_load, ("begin", "claim", "settle", "abort"))
RESERVE, FINISH = map(_load, ("reserve", "finish"))
SWEEP = _load("sweep")
FIND = _load("find", read_only=True)
LOAD, PUT = map(_load, ("load", "put"))
AGREE_RECORD, AGREE_CLAIM, AGREE_INDEX = map(_load, ("agree_record", "agree_claim", "agree_index"))
