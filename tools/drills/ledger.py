"""The clients' record of their writes: which were acknowledged, and which states the store may be in.

Every client writes only its own users, so the possible states of each user are known. A state is the user's name, or None for
a deleted user. An acknowledged write leaves one; a write with an unknown result (no answer, 500, 502, 504, a 503 that says
"may") leaves two.
"""

from dataclasses import dataclass, field
from time import monotonic

import orjson

from tools.drills.http_client import Answer, Broken, Client

PAGE = 100
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
AT_STAKE = ("may have been made", "was made")
"""Part of the detail of a 503 when the change is, or may be, in the store."""


@dataclass(frozen=True, slots=True)
class Event:
    """One request: when it ended (seconds, monotonic), its duration, method and status (0: broken)."""

    at: float
    seconds: float
    method: str
    status: int
    why: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the client got the answer that it expected."""
        return 200 <= self.status < 500


@dataclass
class Entry:
    """One user as its client last saw it."""

    tag: str
    states: set[str | None] = field(default_factory=lambda: {None})
    user_id: str = ""


@dataclass
class Verdict:
    """The store compared with the ledger."""

    lost: list[str]
    doubled: list[str]


class Ledger:
    """The ledger of one drill."""

    def __init__(self, *, repeats_deletes: bool = False) -> None:
        self.started = monotonic()
        self.repeats_deletes = repeats_deletes
        """Whether the fault makes the gateway send a DELETE again: then a 404 may follow a first attempt whose answer was lost.
        Otherwise a 404 means that the user was lost."""
        self.events: list[Event] = []
        self.entries: dict[str, Entry] = {}
        self.acknowledged = 0
        self.stood_still = 0.0
        """The longest time in seconds in which the drill itself did not run: then the machine is to blame, not the services."""

    def note(self, method: str, started: float, answer: Answer | None, why: str = "") -> None:
        """Records a finished request."""
        now = monotonic()
        status = answer.status if answer else 0
        if answer and status >= 500:
            why = code_of(answer)
        self.events.append(Event(now, now - started, method, status, why))
        self.acknowledged += method in WRITES and 200 <= status < 300

    def wrote(self, entry: Entry, wanted: str | None, answer: Answer | None) -> None:
        """Updates the states that the store may be in after a write."""
        if answer and 200 <= answer.status < 300:
            entry.states = {wanted}
        elif (
            answer is None or is_uncertain(answer) or (answer.status == 404 and wanted is None and self.repeats_deletes)
        ):
            entry.states.add(wanted)

    async def verify(self, port: int) -> Verdict:
        """Reads every user and compares. Raises Broken, RuntimeError if the store cannot be read."""
        found: dict[str, list[str]] = {}
        client, path = Client(port), f"/api/users?limit={PAGE}"
        while path:
            answer = await client.ask("GET", path)
            if answer.status != 200:
                raise RuntimeError(f"the users cannot be read: {answer.status} {code_of(answer)}")
            page = orjson.loads(answer.body)
            for user in page["results"]:
                found.setdefault(user["name"].split(" ")[0], []).append(user["name"])
            path = page["next"] and "/api/users" + page["next"].partition("/api/users")[2]
        client.close()
        lost = [tag for tag, entry in self.entries.items() if not set(found.get(tag, [None])) & entry.states]
        doubled = [tag for tag, names in found.items() if len(names) > 1]
        # A definite refusal, and yet it is stored.
        ghosts = [tag for tag in lost if self.entries[tag].states == {None} and not self.entries[tag].user_id]
        return Verdict([tag for tag in lost if tag not in ghosts], doubled + ghosts)


def code_of(answer: Answer) -> str:
    """The problem's code."""
    try:
        return str(orjson.loads(answer.body)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "no problem document"


def is_uncertain(answer: Answer) -> bool:
    """Whether a write with this answer may be in the store."""
    if answer.status in {500, 502, 504}:
        return True
    return answer.status == 503 and any(text in answer.body.decode() for text in AT_STAKE)


__all__ = ["Answer", "Broken", "Client", "Entry", "Event", "Ledger", "Verdict", "code_of", "is_uncertain"]
