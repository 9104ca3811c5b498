"""A sealed batch and its place in the reader's chain: what it adds, what contradicts it, alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from transitpay.postgres import reader_alarms, reader_batches, reference
from transitpay.postgres.reader_alarms import Alarm, AlarmKind
from transitpay.postgres.reader_batches import Chain, EventRow
from transitpay.ride_code.records.record import EventKind
from transitpay.ride_code.records.record_chain import Gap, Link, breaks, extend, gaps

#: Which event raises which alarm, and which one ends it.
_BEGINS = {
    EventKind.STORE_FULL: AlarmKind.STORE_FULL,
    EventKind.CLOCK_FAULT_BEGINS: AlarmKind.CLOCK_FAULT,
    EventKind.UNRECORDED_SCANS: AlarmKind.UNRECORDED_SCANS,
}
_ENDS = {
    EventKind.STORE_HAS_ROOM: AlarmKind.STORE_FULL,
    EventKind.CLOCK_FAULT_ENDS: AlarmKind.CLOCK_FAULT,
}


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Where a batch stands. ``in_order``: it follows all that is here, so nothing of it is known.

    ``conflicts`` are positions at which another record stands, ``broken`` those where a second
    chain begins.
    """

    link: Link
    chain: Chain
    in_order: bool
    advanced: bool
    gaps: Sequence[Gap] = ()
    conflicts: Sequence[int] = ()
    broken: Sequence[int] = ()
    is_new: bool = True


async def plan_batch(
    conn: asyncpg.Connection, reader: str, link: Link, hashes: Sequence[bytes]
) -> BatchPlan:
    """The plan of a batch; the reader's chain is locked from here on."""
    was = await reader_batches.lock_chain(conn, reader)
    at = was.acknowledged
    highest = max(was.highest, link.last)
    if link.first > was.highest and extend(at, [link]).through == link.last:
        told = await reader_batches.open_gaps(conn, reader) if was.lowest_gap else ()
        return BatchPlan(link, Chain(extend(at, [link]), highest), True, True, told)
    conflicts: list[int] = []
    is_new = True
    if link.first <= was.highest:
        stored = await reader_batches.hashes(conn, reader, link.first, link.last)
        ours = enumerate(hashes, link.first)
        conflicts = [position for position, own in ours if stored.get(position, own) != own]
        is_new = any(position not in stored for position in range(link.first, link.last + 1))
    link = replace(link, agrees=not conflicts)
    links = [*await reader_batches.links_after(conn, reader, at.through), link]
    now = extend(at, links)
    floor = at.through if was.lowest_gap is None else min(at.through, was.lowest_gap - 1)
    if floor < at.through:
        links = [*await reader_batches.links_after(conn, reader, floor), link]
    return BatchPlan(
        link,
        Chain(now, highest),
        False,
        now.through > at.through,
        gaps(floor, [(it.first, it.last) for it in links]),
        conflicts,
        breaks(now, links),
        is_new,
    )


async def store_chain(
    conn: asyncpg.Connection,
    reader: str,
    plan: BatchPlan,
    batch: SealedLink,
    received_at: datetime,
) -> None:
    """Store the batch, its events, how far the chain has come, and the alarms it gives."""
    body = None if plan.link.agrees else batch.body
    await reader_batches.add_batch(
        conn, reader, plan.link, batch.sealed_at, received_at, body, plan.chain, batch.events
    )
    if plan.advanced and plan.chain.acknowledged.through == plan.link.last:
        through_at = min(batch.last_at, received_at)
        await reference.put_reader_status(
            conn, reader, batch.last_sequence, through_at, received_at
        )
    if not plan.in_order:
        await _tell_chain(conn, reader, plan, received_at)
    await _tell_events(conn, reader, batch.events, received_at)


@dataclass(frozen=True, slots=True)
class SealedLink:
    """What of a batch is stored beside its scans. ``last_at`` is that of its last record."""

    sealed_at: datetime
    body: bytes
    events: Sequence[EventRow]
    last_sequence: int
    last_at: datetime


async def _tell_chain(conn: asyncpg.Connection, reader: str, plan: BatchPlan, at: datetime) -> None:
    missing = [
        Alarm(reader, AlarmKind.GAP, f"{first}-{last}", {"from": first, "to": last})
        for first, last in plan.gaps
    ]
    clones = []
    if plan.conflicts:
        first = plan.conflicts[0]
        detail: dict[str, object] = {"position": first, "records": len(plan.conflicts)}
        clones.append(Alarm(reader, AlarmKind.CLONED_READER, f"position {first}", detail))
    chains = [
        Alarm(reader, AlarmKind.BROKEN_CHAIN, f"position {first}", {"position": first})
        for first in plan.broken
    ]
    standing = [alarm.subject for alarm in missing]
    await reader_alarms.end_alarms(conn, reader, AlarmKind.GAP, standing, at)
    await reader_alarms.raise_alarms(conn, [*missing, *clones, *chains], at)


async def _tell_events(
    conn: asyncpg.Connection, reader: str, events: Sequence[EventRow], at: datetime
) -> None:
    """An alarm ends with the event that says so, in whatever order both come."""
    begun = [e for e in events if e.kind in _BEGINS]
    if begun:
        alarms = [
            Alarm(
                reader,
                _BEGINS[EventKind(e.kind)],
                f"position {e.position}",
                {**e.detail, "position": e.position, "at": e.at.isoformat()},
            )
            for e in begun
        ]
        await reader_alarms.raise_alarms(conn, alarms, at)
    if begun or any(e.kind in _ENDS for e in events):
        for kind, alarm in _ENDS.items():
            await reader_alarms.end_by_event(conn, reader, alarm, kind, at)
