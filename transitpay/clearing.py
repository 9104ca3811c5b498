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
class Cleared:
    """A fare that is decided, with all that is to be saved in one transaction.

    ``owed`` is what the rider owes for it at the wallet: None while there is no rate, 0 for a free
    ride and for a fare so small that its value rounds to 0 in the charge currency. ``entry`` is
    None only for a free ride: a booking moves something.
    """

    journey_id: str
    revision: int
    fare: Fare
    quote: Quote | None
    owed: Money | None
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class AwaitRate:
    """Clear again once the rate log holds a row effective after ``until``."""

    until: datetime


def journey_key(key: TapKey) -> str:
    """A journey's id in text, from its first tap: ``2026-11-02/tst-03/17``."""
    return f"{key.day.isoformat()}/{key.reader}/{key.sequence}"


def revision_id(key: TapKey, revision: int) -> str:
    """The id of a journey as it was cleared: its key, ``~2`` after it for the second time."""
    return journey_key(key) if revision == 1 else f"{journey_key(key)}~{revision}"


def clear(
    journey: Journey,
    fare: Fare,
    agreement: Agreement,
    rate: PublishedRate | NotYet | None,
    revision: int = 1,
) -> Cleared | AwaitRate:
    """What a journey's fare makes of the agreement with its wallet.

    ``rate`` is ``fx.rate.rate_at`` of the log for fare -> charge currency at ``priced_at``, and
    is not looked at where nothing is converted by us. A gap row, or none at all before the
    journey, holds the charge. ``revision`` counts how often the journey was cleared.
    """
    assert agreement.wallet == journey.rider.issuer
    assert agreement.fare_currency == fare.amount.currency
    id_ = revision_id(journey.key, revision)
    subject = FareSubject(id_, journey.operator, journey.rider.issuer)
    at = journey.priced_at
    if fare.amount.minor == 0:
        return Cleared(id_, revision, fare, None, Money(0, agreement.charge_currency), None)
    if not agreement.needs_rate:
        book = (
            cleared_wallet_converts
            if agreement.fx_mode is FxMode.WALLET_CONVERTS
            else cleared_same_currency
        )
        entry = book(subject, fare.amount, at)
        return Cleared(id_, revision, fare, None, fare.amount, entry)
    if isinstance(rate, NotYet):
        return AwaitRate(at)
    if rate is None or rate.is_gap:
        return Cleared(id_, revision, fare, None, None, cleared_held(subject, fare.amount, at))
    assert rate.effective_at <= at, "a rate from after the ride prices nothing"
    quote = lock_quote(fare.amount, rate, agreement)
    entry = cleared_we_convert(subject, quote, at)
    return Cleared(id_, revision, fare, quote, quote.charge, entry)


def release(
    journey: Journey,
    fare: Fare,
    agreement: Agreement,
    rate: PublishedRate,
    at: datetime,
    revision: int = 1,
) -> Cleared:
    """A held fare whose gap got its rate, published by two people, booked at the instant ``at``.

    The charge's amount is set by the quote; a charge that rounds to 0 is withdrawn.
    """
    assert agreement.needs_rate and not rate.is_gap, "only a held fare is released, by a rate"
    id_ = revision_id(journey.key, revision)
    subject = FareSubject(id_, journey.operator, journey.rider.issuer)
    quote = lock_quote(fare.amount, rate, agreement)
    return Cleared(id_, revision, fare, quote, quote.charge, released(subject, quote, at))
