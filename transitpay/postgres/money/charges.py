"""Statements of charges and their attempts: create, claim under a lease, lock, save.

The lease is the only thing that is measured by the database's clock: who dies between sending and
saving loses it, and the next claimer finds the attempt with its stored bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from transitpay.charging.charge import Attempt, Charge, Refusal
from transitpay.charging.lifecycle import Action, AttemptState, ChargeState
from transitpay.charging.partner_json import Fields, write_quote
from transitpay.charging.wallet_port import Succeeded, WalletQuote
from transitpay.money import Money, currency


@dataclass(frozen=True, slots=True)
class StoredCharge:
    """A charge with what the wallet needs to collect it. ``bodies`` are its attempts' bytes."""

    charge: Charge
    issuer: str
    rider_id: str
    journey_id: str
    bodies: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    access_token: str | None = field(default=None, repr=False)


_ADD = """
insert into charge (id, journey_id, wallet, issuer, rider_id, amount_minor, currency, state,
    created_at, next_action, next_at, refused_code, refused_since, denies_rider, awaits_refund)
select c.id, c.journey_id, c.wallet, c.issuer, c.rider_id, c.amount_minor, c.currency, c.state,
       $9, c.next_action, c.next_at, c.refused_code, c.refused_since, c.denies_rider,
       c.awaits_refund
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
            $7::char(3)[], $8::text[], $10::text[], $11::timestamptz[], $12::text[],
            $13::timestamptz[], $14::boolean[], $15::text[])
     as c(id, journey_id, wallet, issuer, rider_id, amount_minor, currency, state, next_action,
          next_at, refused_code, refused_since, denies_rider, awaits_refund)
"""


async def add(conn: asyncpg.Connection, charges: Sequence[StoredCharge], at: datetime) -> None:
    """Store new debts, which have no attempt yet."""
    if not charges:
        return
    them = [it.charge for it in charges]
    await conn.execute(
        _ADD,
        [c.id for c in them],
        [it.journey_id for it in charges],
        [c.wallet for c in them],
        [it.issuer for it in charges],
        [it.rider_id for it in charges],
        [c.amount.minor for c in them],
        [c.amount.currency.code for c in them],
        [str(c.state) for c in them],
        at,
        [str(c.action) for c in them],
        [c.next_at for c in them],
        *_refused(them),
        [c.awaits for c in them],
    )


def _refused(them: Sequence[Charge]) -> tuple[list[str | None], list[datetime | None], list[bool]]:
    return (
        [c.refused.code if c.refused else None for c in them],
        [c.refused.since if c.refused else None for c in them],
        [c.denies_rider for c in them],
    )


_CLAIM = """
with urgent as (
    select id from charge
    where wallet = $1 and state = 'IN_FLIGHT' and next_at <= $2
      and (lease_until is null or lease_until < now())
    order by next_at
    limit $3
    for update skip locked
), fresh as (
    select id from charge
    where wallet = $1 and state in ('DUE', 'ARREARS') and next_at <= $2
      and (lease_until is null or lease_until < now())
    order by next_at
    limit $4
    for update skip locked
)
update charge c
set lease_until = now() + make_interval(secs => $5)
from (select id from urgent union all select id from fresh) due
where c.id = due.id
returning c.id, c.journey_id, c.wallet, c.issuer, c.rider_id, c.amount_minor, c.currency, c.state,
          c.next_action, c.next_at, c.refused_code, c.refused_since, c.awaits_refund,
          (select r.access_token from rider r
           where r.issuer = c.issuer and r.rider_id = c.rider_id) as access_token
"""


async def claim(
    conn: asyncpg.Connection,
    wallet: str,
    at: datetime,
    *,
    urgent: int,
    fresh: int,
    lease_s: float,
) -> list[StoredCharge]:
    """Up to ``urgent`` charges in flight and ``fresh`` others that are due and that nobody has."""
    rows = await conn.fetch(_CLAIM, wallet, at, urgent, fresh, lease_s)
    return await _with_attempts(conn, sorted(rows, key=lambda row: str(row["id"])))


_LOCK = """
select id, journey_id, wallet, issuer, rider_id, amount_minor, currency, state, next_action,
       next_at, refused_code, refused_since, awaits_refund, null::text as access_token
from charge
where id = any($1::text[])
order by id
for update
"""


async def lock(conn: asyncpg.Connection, charge_ids: Sequence[str]) -> dict[str, StoredCharge]:
    """These charges as they are now, locked in the order of their ids."""
    rows = await conn.fetch(_LOCK, list(charge_ids))
    return {it.charge.id: it for it in await _with_attempts(conn, rows)}


_OF_ATTEMPTS = """
select a.request_id, a.charge_id, c.wallet
from charge_attempt a
join charge c on c.id = a.charge_id
where a.request_id = any($1::text[])
"""


async def ids_of_attempts(
    conn: asyncpg.Connection, request_ids: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """(charge id, wallet) of those request ids that are ours."""
    rows = await conn.fetch(_OF_ATTEMPTS, list(request_ids))
    return {r["request_id"]: (r["charge_id"], r["wallet"]) for r in rows}


_SAVE = """
update charge c
set state = s.state, amount_minor = s.amount_minor, currency = s.currency,
    next_action = s.next_action, next_at = s.next_at, attempts = s.attempts,
    captured_at = s.captured_at, refused_code = s.refused_code, refused_since = s.refused_since,
    denies_rider = s.denies_rider, awaits_refund = s.awaits_refund,
    lease_until = case when $9 then c.lease_until end
from unnest($1::text[], $2::text[], $3::bigint[], $4::char(3)[], $5::text[], $6::timestamptz[],
            $7::int[], $8::timestamptz[], $10::text[], $11::timestamptz[], $12::boolean[],
            $13::text[])
     as s(id, state, amount_minor, currency, next_action, next_at, attempts, captured_at,
          refused_code, refused_since, denies_rider, awaits_refund)
where c.id = s.id
"""

_ADD_ATTEMPTS = """
insert into charge_attempt (request_id, charge_id, n, body, state, first_sent_at)
select a.request_id, a.charge_id, a.n, a.body, a.state, a.first_sent_at
from unnest($1::text[], $2::text[], $3::int[], $4::bytea[], $5::text[], $6::timestamptz[])
     as a(request_id, charge_id, n, body, state, first_sent_at)
"""

_SAVE_ATTEMPTS = """
update charge_attempt a
set state = s.state, payment_id = s.payment_id, paid_at = s.paid_at,
    settlement_minor = s.settlement_minor, settlement_currency = s.settlement_currency,
    wallet_quote = s.wallet_quote::jsonb, result_code = s.result_code,
    absent_days = string_to_array(s.absent_days, ',')::date[]
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::char(3)[],
            $7::text[], $8::text[], $9::text[])
     as s(request_id, state, payment_id, paid_at, settlement_minor, settlement_currency,
          wallet_quote, result_code, absent_days)
where a.request_id = s.request_id
"""


async def save(
    conn: asyncpg.Connection,
    changed: Sequence[tuple[StoredCharge, Charge]],
    bodies: Mapping[str, bytes],
    *,
    keep_lease: bool = False,
) -> None:
    """Write (as it was, as it is now); new attempts are stored with their ``bodies``.

    Raises: Conflict (``attempt_open``), through ``pool.database_errors``.
    """
    if not changed:
        return
    await _save_old_attempts(conn, changed)
    fresh = [(now.id, a) for was, now in changed for a in now.attempts[len(was.charge.attempts) :]]
    if fresh:
        await conn.execute(
            _ADD_ATTEMPTS,
            [a.id for _, a in fresh],
            [charge_id for charge_id, _ in fresh],
            [a.number for _, a in fresh],
            [bodies[a.id] for _, a in fresh],
            [str(a.state) for _, a in fresh],
            [a.sent_at for _, a in fresh],
        )
    them = [now for _, now in changed]
    await conn.execute(
        _SAVE,
        [c.id for c in them],
        [str(c.state) for c in them],
        [c.amount.minor for c in them],
        [c.amount.currency.code for c in them],
        [str(c.action) for c in them],
        [c.next_at for c in them],
        [len(c.attempts) for c in them],
        [captured_at(c) for c in them],
        keep_lease,
        *_refused(them),
        [c.awaits for c in them],
    )


async def _save_old_attempts(
    conn: asyncpg.Connection, changed: Sequence[tuple[StoredCharge, Charge]]
) -> None:
    moved = [
        after
        for was, now in changed
        for before, after in zip(was.charge.attempts, now.attempts, strict=False)
        if before != after
    ]
    if not moved:
        return
    paid = [a.paid for a in moved]
    settled = [p.settlement if p else None for p in paid]
    await conn.execute(
        _SAVE_ATTEMPTS,
        [a.id for a in moved],
        [str(a.state) for a in moved],
        [p.payment_id if p else None for p in paid],
        [p.paid_at if p else None for p in paid],
        [s.minor if s else None for s in settled],
        [s.currency.code if s else None for s in settled],
        [json.dumps(write_quote(p.quote)) if p and p.quote else None for p in paid],
        [a.code for a in moved],
        [",".join(day.isoformat() for day in a.absent_days) for a in moved],
    )


def captured_at(charge: Charge) -> datetime | None:
    """The wallet's completion time of the attempt that paid the debt."""
    return next(
        (a.paid.paid_at for a in charge.attempts if a.state is AttemptState.CAPTURED and a.paid),
        None,
    )


_ATTEMPTS = """
select request_id, charge_id, n, body, state, first_sent_at, payment_id, paid_at,
       settlement_minor, settlement_currency, wallet_quote, result_code, absent_days
from charge_attempt
where charge_id = any($1::text[])
order by charge_id, n
"""


async def _with_attempts(
    conn: asyncpg.Connection, rows: Sequence[asyncpg.Record]
) -> list[StoredCharge]:
    if not rows:
        return []
    attempts: dict[str, list[asyncpg.Record]] = {}
    for found in await conn.fetch(_ATTEMPTS, [row["id"] for row in rows]):
        attempts.setdefault(found["charge_id"], []).append(found)
    return [_stored(row, attempts.get(row["id"], [])) for row in rows]


def _stored(row: asyncpg.Record, attempts: Sequence[asyncpg.Record]) -> StoredCharge:
    amount = Money(row["amount_minor"], currency(row["currency"]))
    charge = Charge(
        row["id"],
        row["wallet"],
        amount,
        ChargeState(row["state"]),
        Action(row["next_action"]),
        row["next_at"],
        tuple(_attempt(found, amount) for found in attempts),
        Refusal(row["refused_code"], row["refused_since"]) if row["refused_code"] else None,
        row["awaits_refund"],
    )
    bodies = {found["request_id"]: found["body"] for found in attempts}
    who = (row["issuer"], row["rider_id"], row["journey_id"])
    return StoredCharge(charge, *who, bodies, row["access_token"])


def _attempt(row: asyncpg.Record, amount: Money) -> Attempt:
    """An attempt asks for the charge's amount, which never changes once there is one."""
    paid = None
    if row["payment_id"] is not None:
        minor, code = row["settlement_minor"], row["settlement_currency"]
        settled = None if minor is None else Money(minor, currency(code))
        quote = _quote(row["wallet_quote"])
        paid = Succeeded(row["payment_id"], row["paid_at"], amount, settled, quote)
    return Attempt(
        row["request_id"],
        row["n"],
        amount,
        AttemptState(row["state"]),
        row["first_sent_at"],
        paid,
        row["result_code"],
        tuple(row["absent_days"]),
    )


def _quote(stored: object) -> WalletQuote | None:
    if not isinstance(stored, dict):
        return None
    return Fields({"quote": stored}).optional_quote("quote")
