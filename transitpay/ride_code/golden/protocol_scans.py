"""A row of scans at one reader, as the golden vectors of the reader protocol tell it.

The reader is ours, and always decides alone; its store is a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from transitpay.ride_code import jsonfields as fields
from transitpay.ride_code.lists.config_list import config_values
from transitpay.ride_code.lists.signed_list import SignedList
from transitpay.ride_code.reader import (
    Effects,
    HeldLists,
    Identity,
    Memory,
    Now,
    Open,
    Reader,
    ReaderSettings,
    Write,
)
from transitpay.ride_code.records.record import Passage, Record, ScanRecord
from transitpay.ride_code.records.record_bytes import parse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CAPACITY = 50_000
_IDENTITY = Identity("vectors", 1, lambda head: bytes(64))
Event = Mapping[str, object]


def decisions_of(
    held: Mapping[str, SignedList | None], events: Sequence[Event]
) -> list[dict[str, object]]:
    """What the reader does at each scan of the events.

    Raises: MalformedInput (``bad_field``, ``bad_reader_config``).
    """
    config = held["config"]
    if config is None:
        raise fields.bad("config", "must be a whole list")
    settings = ReaderSettings.of({**config_values(config.table), "budget_ms": "0"})
    lists = HeldLists.of(held["trust"], held["deny"], config)
    store: list[Record] = []
    reader: Reader | None = None
    scanned: list[ScanRecord] = []
    told: list[dict[str, object]] = []
    for i, event in enumerate(events):
        place = f"events[{i}]."
        now = _now(event, place)
        if reader is None or "restart" in event:
            memory = Memory(1 + len(store), False, len(store), 0, _CAPACITY, tuple(store))
            reader, effects = Reader.started(_IDENTITY, settings, lists, memory, now)
            _keep(store, effects)
        if "outcome" in event:
            of = fields.integer(event, "of", 16, place)
            passage = list(Passage)[fields.integer(event, "outcome", 8, place) - 1]
            _keep(store, reader.passage(now, scanned[of].sequence, passage))
        elif "scan" in event:
            doubt_ms = 1000 * fields.integer(event, "uncertainty_s", 16, place)
            _keep(store, reader.synced(now, now.utc, doubt_ms))
            effects = reader.scan(now, fields.hexadecimal(event, "scan", place))
            scanned.append(next(r for r in _keep(store, effects) if isinstance(r, ScanRecord)))
            told.append(_told(scanned[-1], effects))
    return told


def _now(event: Event, place: str) -> Now:
    at = _EPOCH + timedelta(milliseconds=fields.integer(event, "at_ms", 47, place))
    return Now(at, fields.integer(event, "clock_ms", 47, place))


def _keep(store: list[Record], effects: Effects) -> list[Record]:
    """Write down what is to be written, and answer it."""
    found = [parse(effect.data) for effect in effects if isinstance(effect, Write)]
    store += found
    return found


def _told(record: ScanRecord, effects: Effects) -> dict[str, object]:
    return {
        "decision": str(record.decision),
        "reason": None if record.reason is None else str(record.reason),
        "flags": [str(flag) for flag in record.flags],
        "opens": any(isinstance(effect, Open) for effect in effects),
    }
