"""The signed lists of one reader of the sandbox, taken whole or as a delta and held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from transitpay.ride_code.lists.list_taking import Taken, Wanted, take
from transitpay.ride_code.lists.signed_list import ListKind, SignedList, scope_of
from transitpay.ride_code.reader import HeldLists


@dataclass(slots=True)
class GateLists:
    """What one reader holds; ``roots`` are built into it."""

    reader: str
    roots: Mapping[int, bytes]
    _held: dict[ListKind, SignedList] = field(default_factory=dict)

    def held(self, kind: ListKind) -> SignedList | None:
        """The list of this kind; None = none yet."""
        return self._held.get(kind)

    def as_held(self) -> HeldLists:
        """The lists as the SDK judges by them."""
        return HeldLists.of(*(self._held.get(kind) for kind in ListKind))

    def take(self, kind: ListKind, body: bytes, at: datetime) -> str | None:
        """Take a list that came; "whole" or "delta" if it is held now, None if it is not."""
        scope = scope_of(self.reader if kind is ListKind.CONFIG else "")
        found = take(body, self._held.get(kind), Wanted(kind, self.roots, scope), at)
        if not isinstance(found, Taken):
            return None
        self._held[kind] = SignedList.parse(b"".join(found.chunks()))
        return "whole" if found.changes is None else "delta"
