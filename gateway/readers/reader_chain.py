"""A sealed batch and its place in the reader's chain: what it adds, what contradicts it, alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from transitpay.postgres import reference
from transitpay.postgres.gates import reader_alarms, reader_batches, reader_keys
from transitpay.postgres.gates.reader_alarms import Alarm, AlarmKind
from transitpay.postgres.gates.reader_batches import Chain, EventRow
from transitpay.ride_code.records.record import EventKind
from transitpay.ride_code.records.record_chain import (
    Acknowledged,
    Gap,
    Link,
    breaks,
    extend,
    gaps,
)
from transitpay.ride_code.records.sealed_batch import chain_start

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
    chain begins; ``acknowledged_through`` counts under the key of the batch.
    """

    link: Link
    chain: Chain
    acknowledged_through: int
    in_order: bool
    advanced: bool
    gaps: Sequence[Gap] = ()
    conflicts: Sequence[int] = ()
    broken: Sequence[int] = ()
    is_new: bool = True


async def plan_batch(
    conn: asyncpg.Connection, reader: str, link: Link, hashes: Sequence[bytes]
) -> BatchPlan:
    """The plan of a batch; the reader's chain is locked from here on.

    A batch agrees if it has the same records as every batch that agrees, at all positions that
    they share under one key, and does not begin a second chain: so what batches that agree lead to
    is one chain, in whatever pieces it comes.
    """
    was = await reader_batches.lock_chain(conn, reader)
    at = was.acknowledged
    highest = max(was.highest, link.last)
    if link.first > was.highest and extend(at, [link]).through == link.last:
        told = await reader_batches.open_gaps(conn, reader) if was.lowest_gap else ()
        chain = replace(was, acknowledged=extend(at, [link]), highest=highest)
        return BatchPlan(link, chain, link.last, True, True, told)
    stored = await reader_batches.hashes(conn, reader, link) if link.first <= was.highest else []
    agreed = {position: it for position, it, agrees in stored if agrees}
    seen = {(position, it) for position, it, _ in stored}
    ours = list(enumerate(hashes, link.first))
    conflicts = [position for position, own in ours if agreed.get(position, own) != own]
    is_new = any(it not in seen for it in ours)
    link = replace(link, agrees=not conflicts and not breaks(at, [link]))
    links = [*await reader_batches.links_after(conn, reader, at.through), link]
    now = extend(at, links)
    floor = at.through if was.lowest_gap is None else min(at.through, was.lowest_gap - 1)
    if floor < at.through:
        links = [*await reader_batches.links_after(conn, reader, floor), link]
    return BatchPlan(
        link,
        replace(was, acknowledged=now, highest=highest),
        await acknowledged_under(conn, reader, link, now),
        False,
        now.through > at.through,
        gaps(floor, _here(links, now.key_number, was.begins)),
        conflicts,
        breaks(now, links),
        is_new,
    )


def _here(links: Sequence[Link], key_number: int, begins: int) -> list[tuple[int, int]]:
    """The positions that these batches hold: from the first of the key in use on only its own."""
    last = {link: link.last if link.key_number == key_number else begins - 1 for link in links}
    return [(link.first, min(link.last, last[link])) for link in links if link.first <= last[link]]


async def acknowledged_under(
    conn: asyncpg.Connection, reader: str, link: Link, in_use: Acknowledged
) -> int:
    """Up to where the reader may delete what it sealed by the key of this batch. A key that was
    replaced has a chain of its own: what its successor has sent says nothing of its records."""
    if link.key_number == in_use.key_number:
        return in_use.through
    known = await reader_keys.keys(conn, reader)
    key = next(it for it in known if it.number == link.key_number)
    before = key.first_position - 1
    start = Acknowledged(key.number, before, chain_start(reader, key.public_key))
    return extend(start, [*await reader_batches.links_after(conn, reader, before), link]).through


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
        conn, reader, plan.link, batch.hashes, batch.sealed_at, received_at, body, plan.chain,
        batch.events,
    )  # fmt: skip
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
    hashes: Sequence[bytes]
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
