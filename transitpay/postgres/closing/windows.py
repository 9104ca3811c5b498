"""Statements of the windows: closing them, their items, their sums, and what the books say.

All run in the one repeatable-read transaction of a closing: every statement sees the same items
and entries, and what is booked meanwhile falls into the next window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import asyncpg

from transitpay.ledger.window_sums import FareSum, TakingSum, Unposted, WindowLine


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """One participant's window of a day."""

    id: int
    kind: str
    participant: str


_CLOSE = """
insert into closed_window (kind, participant, day, closed_at)
select p.kind, p.id, $1, $2 from participant p where p.kind in ('operator', 'wallet')
order by p.kind, p.id
returning id, kind, participant
"""


async def close_windows(
    conn: asyncpg.Connection, day: date, at: datetime
) -> tuple[ClosedWindow, ...]:
    """Close the windows of ``day`` of every operator and wallet, empty ones too."""
    rows = await conn.fetch(_CLOSE, day, at)
    return tuple(ClosedWindow(r["id"], r["kind"], r["participant"]) for r in rows)


_MOVE_ITEMS = """
with moved as (
    delete from open_item o using closed_window w
    where w.kind = o.kind and w.participant = o.participant and w.day = $1 and o.day <= $1
    returning o.kind, o.item, o.item_kind, w.id as window_id, o.day, o.currency, o.amount_minor,
        o.ref
)
insert into window_item (kind, item, item_kind, window_id, day, currency, amount_minor, ref)
select kind, item, item_kind, window_id, day, currency, amount_minor, ref from moved
"""


async def move_items(conn: asyncpg.Connection, day: date) -> int:
    """Move every open item up to ``day`` that this transaction sees into the windows of ``day``."""
    status = await conn.execute(_MOVE_ITEMS, day)
    return int(status.split()[-1])


_FARE_SUMS = """
select w.participant as operator, coalesce(j.issuer, '') as wallet, i.currency as fare_currency,
    case when q.id is not null then q.charge_currency
        when j.charge_currency = i.currency then j.charge_currency end as charge_currency,
    q.id is not null as quoted,
    count(*) as items,
    sum(i.amount_minor)::bigint as items_minor,
    coalesce(sum(s.sign * j.fare_minor), 0)::bigint as fare_minor,
    coalesce(sum(s.sign * j.charge_minor), 0)::bigint as charge_minor,
    coalesce(sum(s.sign * q.fare_minor), 0)::bigint as quote_fare_minor,
    coalesce(sum(s.sign * q.mid_value_minor), 0)::bigint as mid_value_minor,
    coalesce(sum(s.sign * q.spread_minor), 0)::bigint as spread_minor
from closed_window w
join window_item i on i.window_id = w.id
cross join lateral (
    select case when i.item_kind = 'fare_reversal' then -1 else 1 end as sign
) s
left join journey j on j.id = i.ref and j.operator = w.participant
    and j.fare_currency = i.currency
left join quote q on q.id = j.quote_id
where w.kind = 'operator' and w.day = $1
group by 1, 2, 3, 4, 5
order by 1, 2, 3, 4 nulls last, 5
"""


async def fare_sums(conn: asyncpg.Connection, day: date) -> list[FareSum]:
    """The fares in the operator windows of ``day``, with their journeys and quotes.

    What riders owe is what the journeys say, and not what was asked for: charges pay for several.
    """
    return [
        FareSum(
            operator=r["operator"],
            wallet=r["wallet"],
            fare_currency=r["fare_currency"],
            items=r["items"],
            items_minor=r["items_minor"],
            fare_minor=r["fare_minor"],
            charge_currency=r["charge_currency"],
            charge_minor=r["charge_minor"] if r["charge_currency"] else 0,
            quoted=r["quoted"] and r["charge_currency"] is not None,
            quote_fare_minor=r["quote_fare_minor"],
            mid_value_minor=r["mid_value_minor"],
            spread_minor=r["spread_minor"],
        )
        for r in await conn.fetch(_FARE_SUMS, day)
    ]


_TAKING_SUMS = """
select w.participant as wallet, i.currency, i.amount_minor as each_minor, count(*) as items,
    case when i.item_kind <> 'refund' then g.fee_rate end as fee_rate,
    coalesce(sum(case i.item_kind when 'capture' then c.amount_minor
        when 'cancel' then -c.amount_minor else -r.amount_minor end), 0)::bigint as wallet_minor
from closed_window w
join window_item i on i.window_id = w.id
left join charge_attempt t on t.request_id = i.ref and i.item_kind <> 'refund'
left join refund r on r.request_id = i.ref and i.item_kind = 'refund'
left join charge c on c.id = coalesce(t.charge_id, r.charge_id)
left join journey j on j.id = c.journey_id
left join lateral (
    select a.fee_rate from wallet_agreement a
    where a.wallet = w.participant and a.fare_currency = j.fare_currency
        and a.valid_from <= j.service_day
    order by a.valid_from desc limit 1
) g on true
where w.kind = 'wallet' and w.day = $1
group by w.participant, i.currency, i.item_kind, i.amount_minor, g.fee_rate
order by w.participant, i.currency, i.item_kind, i.amount_minor, g.fee_rate
"""


async def taking_sums(conn: asyncpg.Connection, day: date) -> list[TakingSum]:
    """The captures, refunds and cancellations in the wallet windows of ``day``, by amount."""
    return [
        TakingSum(
            r["wallet"],
            r["currency"],
            r["items"],
            r["each_minor"],
            r["wallet_minor"],
            r["fee_rate"],
        )
        for r in await conn.fetch(_TAKING_SUMS, day)
    ]


_UNPOSTED_FARES = """
with mine as (
    select distinct i.ref, w.participant from closed_window w
    join window_item i on i.window_id = w.id
    where w.kind = 'operator' and w.day = $1
), items as (
    select x.ref, sum(x.amount_minor) as minor from (
        select i.ref, i.amount_minor from window_item i
        join mine m on m.ref = i.ref where i.kind = 'operator'
        union all
        select o.ref, o.amount_minor from open_item o
        join mine m on m.ref = o.ref where o.kind = 'operator'
    ) x group by x.ref
), posted as (
    select m.ref, coalesce(sum(case
        when p.credit = 'operator_payable:' || m.participant then p.amount_minor
        when p.debit = 'operator_payable:' || m.participant then -p.amount_minor
        else 0 end), 0) as minor
    from mine m
    left join entry e on e.journey_id = m.ref
    left join posting p on p.entry_id = e.id
    group by m.ref
)
select items.ref, items.minor::bigint as items_minor, posted.minor::bigint as posted_minor
from items join posted on posted.ref = items.ref
where items.minor <> posted.minor order by items.ref limit 20
"""


async def unposted_fares(conn: asyncpg.Connection, day: date) -> list[Unposted]:
    """Journeys in the windows of ``day`` of which items and postings differ; the first 20."""
    rows = await conn.fetch(_UNPOSTED_FARES, day)
    return [Unposted(r["ref"], r["items_minor"], r["posted_minor"]) for r in rows]


_UNPOSTED_TAKINGS = """
with mine as (
    select distinct i.ref, w.participant from closed_window w
    join window_item i on i.window_id = w.id
    where w.kind = 'wallet' and w.day = $1
), items as (
    select x.ref, sum(x.amount_minor) as minor from (
        select i.ref, i.amount_minor from window_item i
        join mine m on m.ref = i.ref where i.kind = 'wallet'
        union all
        select o.ref, o.amount_minor from open_item o
        join mine m on m.ref = o.ref where o.kind = 'wallet'
    ) x group by x.ref
), posted as (
    select m.ref, coalesce(sum(case
        when p.debit = 'wallet_receivable:' || m.participant then p.amount_minor
        when p.credit = 'wallet_receivable:' || m.participant then -p.amount_minor
        else 0 end), 0) as minor
    from mine m
    cross join unnest(array['captured:', 'uncaptured:', 'refunded:']) as k(kind)
    left join entry e on e.key = k.kind || m.ref
    left join posting p on p.entry_id = e.id
    group by m.ref
)
select items.ref, items.minor::bigint as items_minor, posted.minor::bigint as posted_minor
from items join posted on posted.ref = items.ref
where items.minor <> posted.minor order by items.ref limit 20
"""


async def unposted_takings(conn: asyncpg.Connection, day: date) -> list[Unposted]:
    """Request ids in the windows of ``day`` of which items and postings differ; the first 20."""
    rows = await conn.fetch(_UNPOSTED_TAKINGS, day)
    return [Unposted(r["ref"], r["items_minor"], r["posted_minor"]) for r in rows]


_SERVICE_FEES = """
select id, service_fee_rate from participant where kind = 'operator' order by id
"""


async def service_fees(conn: asyncpg.Connection) -> dict[str, Decimal]:
    """The service fee rate of every operator."""
    return {r["id"]: r["service_fee_rate"] for r in await conn.fetch(_SERVICE_FEES)}


_WINDOW_LINES = """
select i.item, i.item_kind, i.day, i.currency, i.amount_minor, i.ref
from closed_window w join window_item i on i.window_id = w.id
where w.kind = $1 and w.participant = $2 and w.day = $3
order by i.currency, i.day, i.item_kind, i.item
"""


async def window_lines(
    conn: asyncpg.Connection, kind: str, participant: str, day: date
) -> Sequence[WindowLine]:
    """The items of one closed window in a fixed order."""
    rows = await conn.fetch(_WINDOW_LINES, kind, participant, day)
    return [
        WindowLine(r["item"], r["item_kind"], r["day"], r["currency"], r["amount_minor"], r["ref"])
        for r in rows
    ]
