"""What a whole day came to, counted and summed for reports: taps, journeys, charges, fx, breaks.

Read-only. Sums are integer minor units beside their currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

Connection = Any  # asyncpg has no type information
Row = Mapping[str, Any]  # one row of a report, by column

_TAPS = """
select coalesce(decision, 'none') as decision, coalesce(reason, '') as reason, tier, network,
       count(*) as taps
from tap
group by 1, 2, 3, 4
order by 1, 2, 3, 4
"""


async def taps(conn: Connection) -> list[Row]:
    """Scans by decision, reason, tier and network."""
    return [dict(row) for row in await conn.fetch(_TAPS)]


_CHARGES = """
select wallet, state, currency, count(*) as charges, sum(amount_minor)::bigint as amount_minor
from charge
group by 1, 2, 3
order by 1, 2, 3
"""


async def charges(conn: Connection) -> list[Row]:
    """Charges by wallet and state."""
    return [dict(row) for row in await conn.fetch(_CHARGES)]


@dataclass(frozen=True, slots=True)
class OpenCharges:
    """``charges`` that an answer of a wallet is still awaited for; ``tries`` counts how often they
    were sent and asked about, and so moves while somebody works."""

    charges: int
    tries: int


_OPEN_CHARGES = """
select count(distinct c.id) as charges,
       (count(a.request_id) + coalesce(sum(a.inquiries), 0))::bigint as tries
from charge c
left join charge_attempt a on a.charge_id = c.id
where c.state in ('DUE', 'IN_FLIGHT')
  and not exists (select from charge_attempt old
                  where old.charge_id = c.id and old.state in ('SENT', 'UNKNOWN', 'CANCELLING')
                    and old.first_sent_at < $1)
"""


async def open_charges(conn: Connection, cancellable_from: datetime) -> OpenCharges:
    """What is still open, and how far it has come; an attempt that was sent before
    ``cancellable_from`` is not awaited, since it may be that only the wallet's files end it."""
    row = await conn.fetchrow(_OPEN_CHARGES, cancellable_from)
    return OpenCharges(row["charges"], row["tries"])


_QUOTES = """
select fare_currency, charge_currency, count(*) as quotes, sum(fare_minor)::bigint as fare_minor,
       sum(charge_minor)::bigint as charge_minor, sum(spread_minor)::bigint as spread_minor,
       min(mid)::text as lowest_mid, max(mid)::text as highest_mid
from quote
group by 1, 2
order by 1, 2
"""

_WALLET_QUOTES = """
select c.wallet, count(*) as quotes
from charge_attempt a
join charge c on c.id = a.charge_id
where a.wallet_quote is not null
group by 1
order by 1
"""

_RATE_ROWS = """
select base, quote, count(*) as minutes, count(*) filter (where mid is null) as gaps
from rate
group by 1, 2
order by 1, 2
"""


async def fx(conn: Connection) -> dict[str, list[Row]]:
    """Our quotes by corridor, the wallets' own quotes, and the published log."""
    statements = {"quotes": _QUOTES, "wallet_quotes": _WALLET_QUOTES, "rates": _RATE_ROWS}
    return {name: [dict(row) for row in await conn.fetch(sql)] for name, sql in statements.items()}


_NET = """
select participant, currency, amount_minor from net_position where day = $1
order by participant, currency
"""


async def net_positions(conn: Connection, day: date) -> list[Row]:
    """Who owes whom after the day; above zero the house pays the participant."""
    return [dict(row) for row in await conn.fetch(_NET, day)]


_BREAKS = """
select b.wallet, b.kind, b.state, count(*) as breaks
from recon_break b
join recon_run r on r.id = b.run_id
where r.day = $1
  and r.revision = (select max(l.revision) from recon_run l
                    where l.wallet = r.wallet and l.day = r.day)
group by 1, 2, 3
order by 1, 2, 3
"""

_RUNS = """
select wallet, max(revision) as revision from recon_run where day = $1 group by 1 order by 1
"""


async def breaks(conn: Connection, day: date) -> tuple[list[str], list[Row]]:
    """The wallets that were reconciled, and the breaks of each one's newest run."""
    wallets = [row["wallet"] for row in await conn.fetch(_RUNS, day)]
    return wallets, [dict(row) for row in await conn.fetch(_BREAKS, day)]


_UNBOOKED = """
select t.tapped_day, t.reader, t.sequence
from tap t
left join journey_tap j using (tapped_day, reader, sequence)
left join tap_set_aside a using (tapped_day, reader, sequence)
where t.decision = 'accepted' and j.reader is null and a.reader is null
order by 1, 2, 3
"""

_BOOKED_TWICE = """
select count(*) from (
    select journey_id from entry where kind in ('cleared', 'cleared_held')
    group by journey_id having count(*) > 1) twice
"""

_ACCEPTED = """
select reader, sequence from tap where decision = 'accepted'
"""


@dataclass(frozen=True, slots=True)
class Bookings:
    """Accepted taps in the log, those neither in a journey nor set aside, journeys booked twice."""

    accepted: frozenset[tuple[str, int]]
    unbooked: tuple[tuple[str, int], ...]
    booked_twice: int


async def bookings(conn: Connection) -> Bookings:
    """Whether every accepted tap is in one journey or set aside with its reason."""
    accepted = {(row["reader"], row["sequence"]) for row in await conn.fetch(_ACCEPTED)}
    unbooked = [(row["reader"], row["sequence"]) for row in await conn.fetch(_UNBOOKED)]
    twice = int(await conn.fetchval(_BOOKED_TWICE))
    return Bookings(frozenset(accepted), tuple(unbooked), twice)


_CAPTURED = """
select c.wallet, a.request_id from charge_attempt a join charge c on c.id = a.charge_id
where a.state in ('CAPTURED', 'SURPLUS')
"""


async def captured_attempts(conn: Connection) -> dict[str, set[str]]:
    """The request ids by which money was taken, by wallet."""
    found: dict[str, set[str]] = {}
    for row in await conn.fetch(_CAPTURED):
        found.setdefault(row["wallet"], set()).add(row["request_id"])
    return found


_DIFFERENCES = """
with posted as (
    select account, currency, sum(debit_minor) - sum(credit_minor) as minor
    from account_balance group by 1, 2
), fares as (
    select 'fares of ' || j.operator as what, j.fare_currency as currency,
           coalesce(sum(j.fare_minor) filter (where j.ended_at is null), 0) as facts_minor,
           (select coalesce(sum(case when p.credit = 'operator_payable:' || j.operator
                                     then p.amount_minor else -p.amount_minor end), 0)
            from posting p join entry e on e.id = p.entry_id
            where e.journey_id is not null and p.currency = j.fare_currency
              and 'operator_payable:' || j.operator in (p.debit, p.credit)) as books_minor
    from journey j group by j.operator, j.fare_currency
), owed as (
    select 'owed by riders of ' || c.wallet, c.currency,
           coalesce(sum(c.amount_minor)
                    filter (where c.state in ('DUE', 'IN_FLIGHT', 'ARREARS')), 0)
           + coalesce(sum(paid.parts_minor - c.amount_minor) filter (where c.state = 'CAPTURED'), 0)
           - coalesce(sum(paid.surplus * c.amount_minor - paid.back_minor), 0),
           coalesce((select p.minor from posted p
                     where p.account = 'rider_due:' || c.wallet and p.currency = c.currency), 0)
    from charge c
    cross join lateral (
        select (select coalesce(sum(p.amount_minor), 0) from charge_part p
                where p.charge_id = c.id) as parts_minor,
               (select count(*) from charge_attempt a
                where a.charge_id = c.id and a.state = 'SURPLUS') as surplus,
               (select coalesce(sum(r.amount_minor), 0) from refund r
                where r.charge_id = c.id and r.state = 'REFUNDED') as back_minor
    ) paid
    group by c.wallet, c.currency
), zero as (
    select 'sum of all accounts', currency, 0::numeric, sum(minor) from posted group by currency
)
select what, currency, facts_minor, books_minor from fares
union all select * from owed
union all select * from zero
order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A sum taken from facts beside the same sum in the books."""

    what: str
    currency: str
    facts_minor: int
    books_minor: int

    @property
    def equal(self) -> bool:
        """Whether facts and books say the same."""
        return self.facts_minor == self.books_minor


async def comparisons(conn: Connection) -> list[Comparison]:
    """Facts against books: fares, what riders owe, and that all accounts sum to zero.

    What riders owe is what is due, less what is about to go back to them or was refused to.
    """
    return [
        Comparison(row["what"], row["currency"], int(row["facts_minor"]), int(row["books_minor"]))
        for row in await conn.fetch(_DIFFERENCES)
    ]


_BALANCES = """
select account, currency, debit_minor, credit_minor from account_balance order by 1, 2
"""


async def balances(conn: Connection) -> list[Row]:
    """Every account's debits and credits."""
    return [
        {"account": row["account"], "currency": row["currency"],
         "balance_minor": int(row["debit_minor"] - row["credit_minor"])}
        for row in await conn.fetch(_BALANCES)
    ]  # fmt: skip
