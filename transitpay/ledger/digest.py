"""Chains the closings of the books: one digest over the one before and the entries of a day.

Whoever has the entries of a closing and the digest before it can compute the digest again; one
changed, missing or added posting gives another. The encoding is fixed: one JSON array a line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

#: What the first closing is chained to.
FIRST = bytes(32)


@dataclass(frozen=True, slots=True)
class BookedPosting:
    """One posting with its entry, as the database holds it."""

    entry_id: int
    key: str
    kind: str
    at: datetime
    journey_id: str | None
    charge_id: str | None
    n: int
    debit: str
    credit: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Closing:
    """One closing of the books; ``digest`` is chained to ``previous``."""

    number: int
    day: date
    at: datetime
    entries: int
    previous: bytes
    digest: bytes


class ClosingDigest:
    """Takes the postings of a closing in the order of (entry id, n)."""

    def __init__(self, previous: bytes) -> None:
        assert len(previous) == 32, "a digest is 32 bytes"
        self._hash = hashlib.sha256(previous)
        self._last = (0, -1)

    def add(self, posting: BookedPosting) -> None:
        """Add the next posting."""
        place = (posting.entry_id, posting.n)
        assert place > self._last, "postings are taken in order"
        self._last = place
        self._hash.update(encode(posting))

    def digest(self) -> bytes:
        """The digest of everything added."""
        return self._hash.digest()


def encode(posting: BookedPosting) -> bytes:
    """The canonical line of a posting: UTF-8 JSON, instants in UTC with microseconds."""
    parts = [
        posting.entry_id,
        posting.key,
        posting.kind,
        posting.at.astimezone(UTC).isoformat(timespec="microseconds"),
        posting.journey_id,
        posting.charge_id,
        posting.n,
        posting.debit,
        posting.credit,
        posting.amount_minor,
        posting.currency,
    ]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def chain(previous: bytes, postings: Iterable[BookedPosting]) -> bytes:
    """The digest of a closing whose postings are at hand."""
    digest = ClosingDigest(previous)
    for posting in postings:
        digest.add(posting)
    return digest.digest()
