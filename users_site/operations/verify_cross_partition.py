"""Findings about users whose email belongs to another partition (repository/cross_partition.py). No script can access
both partitions: each suspect is read again, and deleted by compare-and-delete."""

from collections.abc import Iterator

from users_site.identifiers import canonical
from users_site.operations.bulk import Bulk
from users_site.operations.documents import email_of
from users_site.operations.findings import Finding, Key, Kind, text
from users_site.repository import scripts
from users_site.repository.claims import FAR, holder_of


class CrossPartitionFindings:
    """With `repair`, what is found is fixed when it is yielded."""

    def __init__(self, bulk: Bulk, *, repair: bool) -> None:
        self.bulk, self.repair = bulk, repair

    def claims(self, held: list[tuple[Key, bytes]]) -> Iterator[Finding]:
        """Claims that neither a record nor a pending change of email confirms. Each is checked twice: the first check
        may fall between two steps of a change."""
        for key, claim in held:
            if not self._holds(key, claim) and self.bulk.read([key.raw])[0] == claim and not self._holds(key, claim):
                if self.repair:
                    self.bulk.script("verify", scripts.SETTLE, key.partition, [key.raw], claim, "")
                yield Finding(Kind.CLAIM_STALE, text(key.raw), f"it names {text(claim)}")

    def record(self, key: Key, user_id: str, email: str) -> Iterator[Finding]:
        """A record whose claim, in the email's partition, is not its own."""
        claim = self.bulk.layout.claim(email)
        before = self.bulk.read([claim])[0] or b""
        document = self.bulk.read([key.raw])[0]
        if before[:36] == user_id.encode():
            return
        if document is None or email_of(document) != email:  # changed meanwhile
            return
        if before and holder_of(before) != user_id:
            yield Finding(Kind.EMAIL_SHARED, text(key.raw), f"{text(before)} has it too: change or delete one of them")
        else:
            if self.repair:
                self.bulk.call("repair", "SET", claim, f"{user_id} {FAR}", "NX")
            yield Finding(Kind.RECORD_UNCLAIMED, text(key.raw))

    def _holds(self, key: Key, claim: bytes) -> bool:
        user_id, token = canonical(holder_of(claim)), claim[37:]
        if user_id is None:
            return False
        partition, layout = self.bulk.layout.of(user_id), self.bulk.layout
        document, intent = self.bulk.read([partition.record(user_id), partition.intent(user_id)])
        if intent is not None and intent == token:
            return True
        email = email_of(document) if document is not None else ""
        return document is not None and layout.claim(email).encode() == key.raw
