"""Facts for tests of the night: journeys, charges and captures with their bookings, as SQL rows.

Amounts are those of the worked example: fare HKD 52.20, mid 0.9150, charge CNY 47.91.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from transitpay.charging.allotment import Part
from transitpay.clock import day_start, service_day
from transitpay.fx.agreement import FxMode, agreement_on, builtin_agreements
from transitpay.fx.quote import Quote, lock_quote
from transitpay.fx.rate import PublishedRate
from transitpay.ledger import bookings, open_items
from transitpay.ledger.bookings import FareSubject
from transitpay.money import CNY, HKD, Money
from transitpay.postgres.journeys.clearing_rows import add_quotes
from transitpay.postgres.money import charge_parts
from transitpay.postgres.money.journal import add_entries, add_open_items

DAY = date(2026, 10, 30)
NOON = day_start(DAY, 12)
CLOSE_AT = day_start(DAY + timedelta(days=1), 0, 30)
FILES_AT = day_start(DAY + timedelta(days=1), 8, 30)
UNITS = {"HKD": HKD, "CNY": CNY}

WALLETS = {"alipayhk": "HKD", "alipay": "CNY", "shenzhen-tong": "CNY"}
OPERATORS = {"mtr": ("HKD", "0.015"), "shenzhen-metro": ("CNY", "0.01")}
LAYOUTS = {"alipayhk": "alipayhk", "alipay": "alipay-cn", "shenzhen-tong": "transitpay"}


async def take_part(conn: Any, base_url: str = "http://127.0.0.1:1") -> None:
    """Participants, agreements and endpoints; ``conn`` is the superuser."""
    for wallet, code in WALLETS.items():
        await conn.execute(
            "insert into participant (id, kind, name, currency) values ($1, 'wallet', $1, $2)",
            wallet,
            code,
        )
        await conn.execute(
            "insert into partner_endpoint (wallet, base_url, client_id, our_client_id,"
            " our_key_version, file_layout) values ($1, $2, $3, 'TRANSITPAY', 1, $4)",
            wallet,
            f"{base_url}/{wallet}",
            f"W-{wallet}",
            LAYOUTS[wallet],
        )
    for operator, (code, rate) in OPERATORS.items():
        await conn.execute(
            "insert into participant (id, kind, name, currency, service_fee_rate)"
            " values ($1, 'operator', $1, $2, $3)",
            operator,
            code,
            Decimal(rate),
        )
    for a in builtin_agreements():
        await conn.execute(
            "insert into wallet_agreement values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
            a.wallet,
            a.fare_currency.code,
            a.valid_from,
            str(a.fx_mode),
            a.charge_currency.code,
            a.settlement_currency.code,
            a.margin,
            a.fee_rate,
            str(a.bad_debt),
            NOON,
        )


@dataclass(frozen=True)
class Ride:
    """One ride that is charged; its ids all derive from ``id``."""

    id: str
    wallet: str = "shenzhen-tong"
    operator: str = "mtr"
    fare: int = 5220
    at: datetime = NOON

    @property
    def request_id(self) -> str:
        return f"{self.id}-1"

    @property
    def money(self) -> Money:
        return Money(self.fare, UNITS[OPERATORS[self.operator][0]])

    @property
    def quote(self) -> Quote | None:
        unit = self.money.currency
        agreement = agreement_on(builtin_agreements(), self.wallet, unit, DAY)
        assert agreement is not None
        if not agreement.needs_rate:
            return None
        mid = Decimal("0.9150") if unit is HKD else Decimal("1.0929")
        minute = self.at.replace(second=0, microsecond=0)
        rate = PublishedRate(unit, agreement.charge_currency, minute, mid, "test", minute)
        return lock_quote(self.money, rate, agreement)

    @property
    def charge(self) -> Money:
        return self.quote.charge if self.quote else self.money

    @property
    def subject(self) -> FareSubject:
        return FareSubject(f"j-{self.id}", self.operator, self.wallet, self.id)


async def ride(conn: Any, it: Ride, *, captured: bool = True, state: str = "SENT") -> None:
    """Clear a ride, and capture it or leave its attempt in ``state``."""
    async with conn.transaction():
        await _clear(conn, it, "ARREARS" if state == "DECLINED" else "IN_FLIGHT")
        await _attempt(conn, it, state)
        if captured:
            await capture(conn, it)


async def _clear(conn: Any, it: Ride, state: str) -> None:
    quote, day, journey = it.quote, service_day(it.at), it.subject.journey_key
    if quote:
        await add_quotes(conn, [(journey, quote)])
        entry = bookings.cleared_we_convert(it.subject, quote, it.at)
    else:
        entry = bookings.cleared_same_currency(it.subject, it.money, it.at)
    await conn.execute(
        "insert into journey (id, key, issuer, rider_id, slot, network, operator, kind, state,"
        " priced_at, service_day, cleared_at, fare_minor, fare_currency, fare_lines,"
        " tariff_version, quote_id, charge_minor, charge_currency) values ($1, $1, $2,"
        " '0123456789abcdef', 0, $3, $3, 'gated', 'closed', $4, $5, $4, $6, $7, '[]', 'test', $8,"
        " $9, $10)",
        journey,
        it.wallet,
        it.operator,
        it.at,
        day,
        it.fare,
        it.money.currency.code,
        journey if quote else None,
        it.charge.minor,
        it.charge.currency.code,
    )
    await conn.execute(
        "insert into journey_tap (tapped_day, reader, sequence, journey_id)"
        " select $1, 'r1', coalesce(max(sequence), 0) + 1, $2 from journey_tap",
        day,
        journey,
    )
    await conn.execute(
        "insert into charge (id, journey_id, wallet, issuer, rider_id, amount_minor, currency,"
        " state, created_at, next_action, next_at, attempts) values"
        " ($1, $2, $3, $3, '0123456789abcdef', $4, $5, $7, $6, 'INQUIRE', $6, 1)",
        it.id,
        journey,
        it.wallet,
        it.charge.minor,
        it.charge.currency.code,
        it.at,
        state,
    )
    await charge_parts.add(conn, [Part(it.id, journey, it.charge.minor)])
    await add_entries(conn, [entry])
    await add_open_items(conn, [open_items.fare_item(journey, it.operator, day, it.money)])


async def _attempt(conn: Any, it: Ride, state: str) -> None:
    await conn.execute(
        "insert into charge_attempt (request_id, charge_id, n, body, state, first_sent_at)"
        " values ($1, $2, 1, '', $3, $4)",
        it.request_id,
        it.id,
        state,
        it.at,
    )


async def capture(conn: Any, it: Ride) -> None:
    """The wallet said yes at the ride's time."""
    agreement = agreement_on(builtin_agreements(), it.wallet, it.money.currency, DAY)
    assert agreement is not None
    quote = None
    if agreement.fx_mode is FxMode.WALLET_CONVERTS:
        quote = {
            "quoteId": "q",
            "quoteCurrencyPair": "HKD/CNY",
            "quotePrice": "0.84796700",
        }
    await conn.execute(
        "update charge_attempt set state = 'CAPTURED', payment_id = 'W-' || request_id,"
        " paid_at = $2, wallet_quote = $3::text::jsonb where request_id = $1",
        it.request_id,
        it.at,
        json.dumps(quote) if quote else None,
    )
    await conn.execute(
        "update charge set state = 'CAPTURED', next_action = 'NOTHING', next_at = null,"
        " captured_at = $2"
        " where id = $1",
        it.id,
        it.at,
    )
    entry = bookings.captured(it.wallet, it.charge, it.at, it.request_id, it.id)
    await add_entries(conn, [entry])
    item = open_items.capture_item(it.wallet, it.request_id, it.at, it.charge)
    await add_open_items(conn, [item])


async def refund(conn: Any, it: Ride, at: datetime) -> None:
    """The fare is taken back and the wallet gives the money back."""
    before, journey = it.quote or it.money, it.subject.journey_key
    refund_id = f"{it.id}-r1"
    async with conn.transaction():
        await add_entries(conn, [bookings.taken_back(it.subject, before, at)])
        await conn.execute("delete from journey_tap where journey_id = $1", journey)
        await charge_parts.replace(conn, [it.id], [])
        await conn.execute(
            "update journey set ended_at = $2, ended_why = 'given_back' where id = $1", journey, at
        )
        item = open_items.fare_reversal_item(
            refund_id, journey, it.operator, service_day(at), it.money
        )
        await add_open_items(conn, [item])
        await money_back(conn, it, 1, it.charge.minor, at)


async def money_back(conn: Any, it: Ride, number: int, minor: int, at: datetime) -> None:
    """The wallet gives so much of the payment back, as the refund of this number."""
    refund_id, amount = f"{it.id}-r{number}", Money(minor, it.charge.currency)
    await add_entries(conn, [bookings.refunded(it.wallet, amount, at, refund_id, it.id)])
    await conn.execute(
        "insert into refund (request_id, charge_id, attempt_request_id, amount_minor,"
        " currency, reason, body, state, created_at, refunded_at)"
        " values ($1, $2, $3, $4, $5, 'test', '', 'REFUNDED', $6, $6)",
        refund_id,
        it.id,
        it.request_id,
        minor,
        amount.currency.code,
        at,
    )
    await add_open_items(conn, [open_items.refund_item(it.wallet, refund_id, at, amount)])


async def doubtful(conn: Any, it: Ride, minor: int, at: datetime) -> None:
    """So much of the payment was asked back, and the wallet has not said yes or no."""
    await conn.execute(
        "insert into refund (request_id, charge_id, attempt_request_id, amount_minor, currency,"
        " reason, body, state, created_at, next_at)"
        " values ($1, $2, $3, $4, $5, 'test', '', 'UNKNOWN', $6, $6)",
        f"{it.id}-r1",
        it.id,
        it.request_id,
        minor,
        it.charge.currency.code,
        at,
    )


async def cancel(conn: Any, it: Ride, at: datetime) -> None:
    """A cancel won after the capture was booked."""
    async with conn.transaction():
        entry = bookings.uncaptured(it.wallet, it.charge, at, it.request_id, it.id)
        await add_entries(conn, [entry])
        await conn.execute(
            "update charge_attempt set state = 'CANCELLED' where request_id = $1", it.request_id
        )
        item = open_items.cancel_item(it.wallet, it.request_id, at, it.charge)
        await add_open_items(conn, [item])


async def fingerprint(conn: Any) -> dict[str, tuple[int, str]]:
    """Rows and a digest of every table: equal before and after = nothing was changed."""
    names = await conn.fetch(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relkind = 'r'"
        " and has_table_privilege(c.oid, 'select') order by 1"
    )
    found = {}
    for (name,) in names:
        row = await conn.fetchrow(
            "select count(*) as n,"
            " md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as d"
            f' from "{name}" t'
        )
        found[name] = (row["n"], row["d"])
    return found
