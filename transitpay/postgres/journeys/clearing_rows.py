"""Statements by which the clearing writes: quotes, journeys with their taps, what is set aside.

All are set-based: a batch of riders is a handful of statements in one transaction. A journey's
id comes from its first tap and a tap belongs to one standing journey, so clearing twice refuses
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from transitpay.clearing import Cleared, journey_key
from transitpay.fx.quote import Quote
from transitpay.journeys.journey import Journey
from transitpay.postgres.gates.taps import key_columns, shard_of
from transitpay.postgres.journeys.fare_lines import lines_to_json
from transitpay.taps import TapKey

ClearedJourney = tuple[Journey, Cleared]

_ADD_QUOTES = """
insert into quote (id, effective_at, fare_minor, fare_currency, charge_minor, charge_currency, mid,
    margin, customer_rate, mid_value_minor, spread_minor, remainder)
select q.id, q.effective_at, q.fare_minor, q.fare_currency, q.charge_minor, q.charge_currency,
       q.mid, q.margin, q.customer_rate, q.mid_value_minor, q.spread_minor, q.remainder
from unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::char(3)[], $5::bigint[],
            $6::char(3)[], $7::numeric[], $8::numeric[], $9::numeric[], $10::bigint[],
            $11::bigint[], $12::numeric[])
     as q(id, effective_at, fare_minor, fare_currency, charge_minor, charge_currency, mid, margin,
          customer_rate, mid_value_minor, spread_minor, remainder)
"""


async def add_quotes(conn: asyncpg.Connection, quotes: Sequence[tuple[str, Quote]]) -> None:
    """Keep the locked conversions; the id of a quote is the id of its journey."""
    if not quotes:
        return
    await conn.execute(
        _ADD_QUOTES,
        [quote_id for quote_id, _ in quotes],
        [q.effective_at for _, q in quotes],
        [q.fare.minor for _, q in quotes],
        [q.fare.currency.code for _, q in quotes],
        [q.charge.minor for _, q in quotes],
        [q.charge.currency.code for _, q in quotes],
        [q.mid for _, q in quotes],
        [q.margin for _, q in quotes],
        [q.customer_rate for _, q in quotes],
        [q.mid_value.minor for _, q in quotes],
        [q.spread.minor for _, q in quotes],
        [q.remainder for _, q in quotes],
    )


_ADD_JOURNEYS = """
insert into journey (id, key, revision, issuer, rider_id, slot, network, operator, kind, state,
    reason, route, entry_stop, exit_stop, entry_at, exit_at, filled_by, filled_stops, filled_ref,
    excuse, late, priced_at, service_day, cleared_at, fare_minor, fare_currency, fare_lines,
    tariff_version, quote_id, charge_minor, charge_currency)
select j.id, j.key, j.revision, j.issuer, j.rider_id, j.slot, j.network, j.operator, j.kind,
       j.state, j.reason, j.route, j.entry_stop, j.exit_stop, j.entry_at, j.exit_at, j.filled_by,
       string_to_array(j.filled_stops, chr(31)), j.filled_ref, j.excuse, j.late, j.priced_at,
       j.service_day, $31, j.fare_minor, j.fare_currency, j.fare_lines::jsonb, j.tariff_version,
       j.quote_id, j.charge_minor, j.charge_currency
from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::smallint[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
            $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::text[],
            $18::text[], $19::text[], $20::text[], $21::boolean[], $22::timestamptz[],
            $23::date[], $24::bigint[], $25::char(3)[], $26::text[], $27::text[], $28::text[],
            $29::bigint[], $30::char(3)[])
     as j(id, key, revision, issuer, rider_id, slot, network, operator, kind, state, reason,
          route, entry_stop, exit_stop, entry_at, exit_at, filled_by, filled_stops, filled_ref,
          excuse, late, priced_at, service_day, fare_minor, fare_currency, fare_lines,
          tariff_version, quote_id, charge_minor, charge_currency)
"""

_ADD_JOURNEY_TAPS = """
insert into journey_tap (tapped_day, reader, sequence, journey_id)
select t.tapped_day, t.reader, t.sequence, t.journey_id
from unnest($1::date[], $2::text[], $3::bigint[], $4::text[])
     as t(tapped_day, reader, sequence, journey_id)
"""


async def add_journeys(
    conn: asyncpg.Connection, cleared: Sequence[ClearedJourney], at: datetime
) -> None:
    """Store journeys with their quotes and taps, cleared at the instant ``at``."""
    if not cleared:
        return
    quoted = [(c.journey_id, c.quote) for _, c in cleared if c.quote is not None]
    await add_quotes(conn, quoted)
    columns = zip(*(_journey_row(j, c) for j, c in cleared), strict=True)
    await conn.execute(_ADD_JOURNEYS, *columns, at)
    taps = [(tap.key, c.journey_id) for j, c in cleared for tap in j.taps]
    keys = key_columns([key for key, _ in taps])
    await conn.execute(_ADD_JOURNEY_TAPS, *keys, [i for _, i in taps])


def _journey_row(j: Journey, it: Cleared) -> tuple[object, ...]:
    fare, owed, filled = it.fare, it.owed, j.filled
    return (
        it.journey_id, journey_key(j.key), it.revision, *j.rider, j.network, j.operator,
        str(j.kind), str(j.state), j.reason, j.first_tap.route,
        j.entry.stop if j.entry else None, j.exit.stop if j.exit else None,
        j.entry.at if j.entry else None, j.exit.at if j.exit else None,
        *((filled.by, "\x1f".join(filled.stops), filled.ref) if filled else (None, None, None)),
        j.excuse, j.late, j.priced_at, j.service_day,
        fare.amount.minor, fare.amount.currency.code, lines_to_json(fare.lines),
        fare.tariff_version,
        it.journey_id if it.quote is not None else None,
        *((owed.minor, owed.currency.code) if owed is not None else (None, None)),
    )  # fmt: skip


_NO_TAPS = """
delete from journey_tap where journey_id = any($1::text[])
"""


async def free_taps(conn: asyncpg.Connection, journey_ids: Sequence[str]) -> None:
    """Journeys that are about to end have no taps any more: others may have them."""
    await conn.execute(_NO_TAPS, list(journey_ids))


_END = """
update journey j
set ended_at = $4, ended_why = e.why, replaced_by = e.replaced_by
from unnest($1::text[], $2::text[], $3::text[]) as e(id, why, replaced_by)
where j.id = e.id
"""


async def end_journeys(
    conn: asyncpg.Connection, ended: Sequence[tuple[str, str, str | None]], at: datetime
) -> None:
    """These journeys stand no longer: (id, why, the journey that has its first tap now)."""
    await conn.execute(
        _END,
        [journey_id for journey_id, _, _ in ended],
        [why for _, why, _ in ended],
        [replaced_by for _, _, replaced_by in ended],
        at,
    )


_NOT_ASIDE = """
delete from tap_set_aside a
using unnest($1::date[], $2::text[], $3::bigint[]) as t(tapped_day, reader, sequence)
where a.tapped_day = t.tapped_day and a.reader = t.reader and a.sequence = t.sequence
"""

_SET_ASIDE = """
insert into tap_set_aside (tapped_day, reader, sequence, reason, at)
select t.tapped_day, t.reader, t.sequence, t.reason, $5
from unnest($1::date[], $2::text[], $3::bigint[], $4::text[])
     as t(tapped_day, reader, sequence, reason)
"""


async def set_aside(
    conn: asyncpg.Connection,
    gone: Sequence[TapKey],
    taps: Sequence[tuple[TapKey, str]],
    at: datetime,
) -> None:
    """Keep taps that make no journey with their reason; those of ``gone`` are so no longer."""
    if gone:
        await conn.execute(_NOT_ASIDE, *key_columns(gone))
    if taps:
        keys = key_columns([key for key, _ in taps])
        await conn.execute(_SET_ASIDE, *keys, [reason for _, reason in taps], at)


_FORGET = """
delete from tap_inbox where id = any($1::bigint[])
"""

_ASK_AGAIN = """
insert into tap_inbox (shard, issuer, rider_id, due_at, since)
select i.shard, i.issuer, i.rider_id, i.due_at, i.since
from unnest($1::smallint[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
     as i(shard, issuer, rider_id, due_at, since)
"""


async def move_inbox(
    conn: asyncpg.Connection,
    read: Sequence[int],
    again: Sequence[tuple[tuple[str, str], datetime, datetime | None]],
) -> None:
    """Delete the rows that were read; ask for riders (rider, due at, since) to be read again."""
    await conn.execute(_FORGET, list(read))
    if again:
        await conn.execute(
            _ASK_AGAIN,
            [shard_of(*rider) for rider, _, _ in again],
            [rider[0] for rider, _, _ in again],
            [rider[1] for rider, _, _ in again],
            [due_at for _, due_at, _ in again],
            [since for _, _, since in again],
        )
