"""Statements of the books: accounts, entries with their postings, open items, balances.

Entries are only ever added. A whole batch is a handful of statements; an entry whose key is there
already refuses its transaction (``entry_repeated``).
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from transitpay.ledger.accounts import kind_of
from transitpay.ledger.journal import Entry
from transitpay.ledger.open_items import OpenItem
from transitpay.money import Currency, Money, currency

_ADD_ACCOUNTS = """
insert into account (name, currency, kind)
select a.name, a.currency, a.kind
from unnest($1::text[], $2::char(3)[], $3::text[]) as a(name, currency, kind)
on conflict (name, currency) do nothing
"""

_ADD_ENTRIES = """
with added as (
    insert into entry (key, kind, at, journey_id, charge_id)
    select e.key, e.kind, e.at, e.journey_id, e.charge_id
    from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
         as e(key, kind, at, journey_id, charge_id)
    returning id, key
)
insert into posting (entry_id, n, debit, credit, amount_minor, currency)
select added.id, p.n, p.debit, p.credit, p.amount_minor, p.currency
from unnest($6::text[], $7::smallint[], $8::text[], $9::text[], $10::bigint[], $11::char(3)[])
     as p(key, n, debit, credit, amount_minor, currency)
join added on added.key = p.key
"""


async def add_entries(conn: asyncpg.Connection, entries: Sequence[Entry]) -> None:
    """Book entries, with the accounts that are used for the first time.

    Raises: Conflict (``entry_repeated``), through ``pool.database_errors``.
    """
    if not entries:
        return
    lines = [(e.key, n, p) for e in entries for n, p in enumerate(e.postings, start=1)]
    accounts = sorted(
        {(name, p.amount.currency.code) for _, _, p in lines for name in (p.debit, p.credit)}
    )
    await conn.execute(
        _ADD_ACCOUNTS,
        [name for name, _ in accounts],
        [code for _, code in accounts],
        [str(kind_of(name)) for name, _ in accounts],
    )
    await conn.execute(
        _ADD_ENTRIES,
        [e.key for e in entries],
        [str(e.kind) for e in entries],
        [e.at for e in entries],
        [e.journey_key for e in entries],
        [e.charge_id for e in entries],
        [key for key, _, _ in lines],
        [n for _, n, _ in lines],
        [p.debit for _, _, p in lines],
        [p.credit for _, _, p in lines],
        [p.amount.minor for _, _, p in lines],
        [p.amount.currency.code for _, _, p in lines],
    )


_ADD_OPEN_ITEMS = """
insert into open_item (kind, item, item_kind, participant, day, currency, amount_minor, ref)
select o.kind, o.item, o.item_kind, o.participant, o.day, o.currency, o.amount_minor, o.ref
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[], $6::char(3)[],
            $7::bigint[], $8::text[])
     as o(kind, item, item_kind, participant, day, currency, amount_minor, ref)
"""


async def add_open_items(conn: asyncpg.Connection, items: Sequence[OpenItem]) -> None:
    """Put bookings into their windows, in the transaction that books them."""
    if not items:
        return
    await conn.execute(
        _ADD_OPEN_ITEMS,
        [it.kind for it in items],
        [it.item for it in items],
        [it.item_kind for it in items],
        [it.participant for it in items],
        [it.day for it in items],
        [it.amount.currency.code for it in items],
        [it.amount.minor for it in items],
        [it.ref for it in items],
    )


_BALANCES = """
select account, currency, debit_minor - credit_minor as minor
from account_balance
order by account, currency
"""


async def balances(conn: asyncpg.Connection) -> dict[tuple[str, Currency], Money]:
    """Debits minus credits of every account that was ever used."""
    found: dict[tuple[str, Currency], Money] = {}
    for row in await conn.fetch(_BALANCES):
        unit = currency(row["currency"])
        found[row["account"], unit] = Money(int(row["minor"]), unit)
    return found
