"""Whether a chain of audit records is whole: looked at one by one, however long it is."""

from __future__ import annotations

from dataclasses import dataclass

from segint_grpc.domain.access import SERVER
from segint_grpc.domain.audit import Head, Record, link, prune_entry


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a chain, and the number of the first record at which it shows."""

    seq: int
    problem: str


class ChainCheck:
    """Looks at records in order, beginning behind `anchor`, the last one that was pruned.

    `noted` are heads that were written down elsewhere: the chain must hold each of them.
    """

    def __init__(self, anchor: Head, *noted: Head) -> None:
        """Begin behind `anchor`."""
        self.anchor = anchor
        self.head = anchor
        self.count = 0
        self._noted = {head.seq: head for head in noted}
        self._explained = anchor.seq == 0

    def look(self, record: Record) -> Finding | None:
        """Return what is wrong with the next record, or None."""
        problem = self._problem(record)
        if problem:
            return Finding(self.head.seq + 1, problem)
        self.head = record.head
        self.count += 1
        self._explained = self._explained or self._tells_of_pruning(record)
        return None

    def end(self) -> Finding | None:
        """Return what is missing behind the last record, or None."""
        if self.head.seq in self._noted and self._noted[self.head.seq] != self.head:
            # Only an anchor has not been looked at.
            return Finding(self.head.seq, _rewritten(self.head.seq))
        if not self._explained:
            return Finding(
                self.anchor.seq,
                f"The records up to {self.anchor.seq} are missing, and no record says that they were pruned.",
            )
        missing = max(self._noted, default=0)
        if missing > self.head.seq:
            return Finding(
                self.head.seq + 1,
                f"The chain ends with record {self.head.seq}, but record {missing} was noted elsewhere: "
                "records were cut off at its end, or the database is an older copy.",
            )
        return None

    def unseen(self) -> list[int]:
        """Return the numbers of noted heads that lie before the chain: nothing can be said of them."""
        return sorted(seq for seq in self._noted if seq < self.anchor.seq)

    def _tells_of_pruning(self, record: Record) -> bool:
        entry = record.entry
        told = prune_entry(SERVER, entry.at, self.anchor)
        return (entry.act, entry.object_id, entry.details) == (told.act, told.object_id, told.details)

    def _problem(self, record: Record) -> str:
        expected = self.head.seq + 1
        if record.seq != expected:
            return f"Record {expected} is missing: record {record.seq} stands in its place."
        if record.previous != self.head.hash:
            return (
                f"Record {expected} does not follow record {self.head.seq}: the hash that it names as "
                "the one before is another. A record was changed, exchanged or put in."
            )
        if link(record.entry, self.head).hash != record.hash:
            return f"Record {expected} was changed: its content does not give its hash."
        noted = self._noted.get(expected)
        return _rewritten(expected) if noted and noted != record.head else ""


def _rewritten(seq: int) -> str:
    return (
        f"Record {seq} has another hash than the one that was noted elsewhere: it, or a record before it, "
        "was rewritten, and every hash since was made anew."
    )
