"""How full the store is: warned of at 80 %, and at the end scans follow the policy.

ROOM --- 80 % ---> NEARLY_FULL --- no room for a scan ---> FULL
  ^                  |      ^                               |
  +--- below 80 % ---+      +------ acknowledgement --------+
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from transitpay.ride_code.records.record import EventKind

#: Records kept back for events, so that a full store can still say so.
RESERVE = 8


class Level(StrEnum):
    """Whether a scan can be recorded."""

    ROOM = "room"
    NEARLY_FULL = "nearly_full"
    FULL = "full"


#: (before, after) -> the event that is worth a record.
EVENTS: dict[tuple[Level, Level], EventKind] = {
    (Level.ROOM, Level.NEARLY_FULL): EventKind.STORE_NEARLY_FULL,
    (Level.ROOM, Level.FULL): EventKind.STORE_FULL,
    (Level.NEARLY_FULL, Level.FULL): EventKind.STORE_FULL,
    (Level.FULL, Level.NEARLY_FULL): EventKind.STORE_HAS_ROOM,
    (Level.FULL, Level.ROOM): EventKind.STORE_HAS_ROOM,
}


@dataclass(slots=True)
class StoreLevel:
    """``waiting`` of ``capacity`` records are not acknowledged. ``unrecorded`` scans opened the
    gate and could not be written down. ``failed``: the disk took no record just now."""

    capacity: int
    waiting: int
    unrecorded: int = 0
    failed: bool = False
    level: Level = Level.ROOM

    @property
    def is_full(self) -> bool:
        """Whether no scan can be recorded now."""
        return self.failed or self.waiting >= self.capacity - RESERVE

    def has_room_for_event(self) -> bool:
        """Whether an event can be recorded now."""
        return not self.failed and self.waiting < self.capacity

    def changed(self) -> EventKind | None:
        """The event of the change since the last call, if there is one."""
        after = Level.ROOM
        if self.is_full:
            after = Level.FULL
        elif self.waiting * 5 >= self.capacity * 4:
            after = Level.NEARLY_FULL
        before, self.level = self.level, after
        return EVENTS.get((before, after))
