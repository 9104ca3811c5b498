"""Turns a finished journey with its fare into what is owed and what is booked: the pure heart.

An exit is priced only when the rate log holds a row effective after it, so *when* a journey is
cleared never changes its rate. A gap never stops a gate: the operator earns its fare at once and
the charge waits for a rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from transitpay.fares.fare import Fare
from transitpay.fx.agreement import Agreement, FxMode
from transitpay.fx.quote import Quote, lock_quote
from transitpay.fx.rate import NotYet, PublishedRate
from transitpay.journeys.journey import Journey
from transitpay.ledger.bookings import (
    FareSubject,
    cleared_held,
    cleared_same_currency,
    cleared_wallet_converts,
    cleared_we_convert,
    released,
)
from transitpay.ledger.journal import Entry
from transitpay.money import Money
from transitpay.taps import TapKey


@dataclass(frozen=True, slots=True)
class NewCharge:
    """A charge to be made. While ``held``, ``amount`` is the fare: the release sets the charge."""

    id: str
    wallet: str
    amount: Money
    held: bool


@dataclass(frozen=True, slots=True)
class Cleared:
    """A fare that is decided, with all that is to be saved in one transaction.

    ``charge`` is None where there is nothing to ask for: a free ride, or a fare so small that its
    value rounds to 0 in the charge currency; ``why_no_charge`` says which. ``entry`` is None only
    for a free ride: a booking moves something.
    """

    fare: Fare
    quote: Quote | None
    charge: NewCharge | None
    entry: Entry | None
    why_no_charge: str | None = None


@dataclass(frozen=True, slots=True)
class AwaitRate:
    """Clear again once the rate log holds a row effective after ``until``."""

    until: datetime


def journey_key(key: TapKey) -> str:
    """A journey's id in text, from its first tap: ``2026-11-02/tst-03/17``."""
    return f"{key.day.isoformat()}/{key.reader}/{key.sequence}"


def charge_id(key: TapKey) -> str:
    """The id of a journey's charge, from its first tap: ``c-20261102-tst-03-17``."""
    return f"c-{key.day:%Y%m%d}-{key.reader}-{key.sequence}"


def clear(
    journey: Journey,
    fare: Fare,
    agreement: Agreement,
    rate: PublishedRate | NotYet | None,
) -> Cleared | AwaitRate:
    """What a journey's fare makes of the agreement with its wallet.

    ``rate`` is ``fx.rate.rate_at`` of the log for fare -> charge currency at ``priced_at``, and
    is not looked at where nothing is converted by us. A gap row, or none at all before the
    journey, holds the charge.
    """
    assert agreement.wallet == journey.rider.issuer
    assert agreement.fare_currency == fare.amount.currency
    if fare.amount.minor == 0:
        return Cleared(fare, None, None, None, "the fare is 0")
    subject = _subject(journey)
    at = journey.priced_at
    if not agreement.needs_rate:
        book = (
            cleared_wallet_converts
            if agreement.fx_mode is FxMode.WALLET_CONVERTS
            else cleared_same_currency
        )
        return Cleared(fare, None, _charge(journey, fare.amount), book(subject, fare.amount, at))
    if isinstance(rate, NotYet):
        return AwaitRate(at)
    if rate is None or rate.is_gap:
        held = _charge(journey, fare.amount, held=True)
        return Cleared(fare, None, held, cleared_held(subject, fare.amount, at))
    assert rate.effective_at <= at, "a rate from after the ride prices nothing"
    quote = lock_quote(fare.amount, rate, agreement)
    entry = cleared_we_convert(subject, quote, at)
    if quote.charge.minor == 0:
        why = f"{fare.amount} rounds to {quote.charge} at {quote.customer_rate}"
        return Cleared(fare, quote, None, _without_charge(entry), why)
    return Cleared(fare, quote, _charge(journey, quote.charge), entry)


def release(
    journey: Journey, fare: Fare, agreement: Agreement, rate: PublishedRate, at: datetime
) -> Cleared:
    """A held fare whose gap got its rate, published by two people, booked at the instant ``at``.

    The charge's amount is set by the quote; a charge that rounds to 0 is withdrawn.
    """
    assert agreement.needs_rate and not rate.is_gap, "only a held fare is released, by a rate"
    quote = lock_quote(fare.amount, rate, agreement)
    entry = released(_subject(journey), quote, at)
    if quote.charge.minor == 0:
        why = f"{fare.amount} rounds to {quote.charge} at {quote.customer_rate}"
        return Cleared(fare, quote, None, entry, why)
    return Cleared(fare, quote, _charge(journey, quote.charge), entry)


def _subject(journey: Journey) -> FareSubject:
    return FareSubject(
        journey_key(journey.key), journey.operator, journey.rider.issuer, charge_id(journey.key)
    )


def _charge(journey: Journey, amount: Money, held: bool = False) -> NewCharge:
    return NewCharge(charge_id(journey.key), journey.rider.issuer, amount, held)


def _without_charge(entry: Entry) -> Entry:
    return Entry(entry.key, entry.kind, entry.at, entry.postings, entry.journey_key)
