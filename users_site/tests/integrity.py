"""Compares records, index entries and email claims of a store, without the repository."""

from typing import cast

import orjson
import redis

RECORD, INDEX, CLAIM = "{users:0}:user:", "{users:0}:ids", "{users:0}:email:"


def faults(store: redis.Redis) -> list[str]:
    """Every inconsistency of the store in words; empty if there is none."""
    records = {key.removeprefix(RECORD): store.get(RECORD + key.removeprefix(RECORD)) for key in names(store, RECORD)}
    claims = {key.removeprefix(CLAIM): cast(bytes, store.get(key)).decode() for key in names(store, CLAIM)}
    indexed = {member.decode() for member in cast(list[bytes], store.zrange(INDEX, 0, -1))}
    users = {user_id: orjson.loads(cast(bytes, document)) for user_id, document in records.items()}
    held = {user["email"].casefold(): user_id for user_id, user in users.items()}
    return [
        *(f"record {user_id} is not in the index" for user_id in users.keys() - indexed),
        *(f"index entry {user_id} has no record" for user_id in indexed - users.keys()),
        *(f"{user_id} has another id inside" for user_id, user in users.items() if user["id"] != user_id),
        *(f"{email} of {user_id} is not claimed" for email, user_id in held.items() if claims.get(email) != user_id),
        *(f"{email} is held by nobody" for email in claims.keys() - held.keys()),
        *(["two users on one email"] if len(held) != len(users) else []),
    ]


def names(store: redis.Redis, prefix: str) -> list[str]:
    """The keys that begin so."""
    return [key.decode() for key in cast(list[bytes], store.keys(prefix + "*"))]
