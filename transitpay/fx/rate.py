"""A rate, as a source said it and as the house published it, is an exact Decimal with instants.

``Observation`` is what an adapter made of a source's text: unit 1, quantised to 10 decimals.
``PublishedRate`` is one row of the append-only log by which journeys are priced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from transitpay.errors import MalformedInput
from transitpay.money import CONTEXT, Currency

#: Every rate has at most this many decimals, from the adapter on.
RATE_STEP = Decimal("0.0000000001")
_PLAIN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,20})?")


def quantise(rate: Decimal) -> Decimal:
    """The rate with 10 decimals, HALF_EVEN; what is not a finite number stays as it is."""
    if not rate.is_finite():
        return rate
    return rate.quantize(RATE_STEP, rounding=ROUND_HALF_EVEN, context=CONTEXT)


def parse_rate(text: str, *, field: str = "rate") -> Decimal:
    """A source's plain decimal text as a rate; no blank, comma, exponent, "NaN" or markup.

    A zero or a negative number is readable: the guard refuses it.

    Raises: MalformedInput (``bad_rate``).
    """
    if not _PLAIN.fullmatch(text):
        raise MalformedInput("bad_rate", f"{text[:40]!r} is not a plain decimal rate", field=field)
    return quantise(Decimal(text))


def invert(rate: Decimal) -> Decimal:
    """1 / rate with 10 decimals, HALF_EVEN. Called once a row, at publication, nowhere later."""
    return quantise(CONTEXT.divide(Decimal(1), rate))


@dataclass(frozen=True, slots=True)
class Observation:
    """One source said at ``observed_at``: 1 ``base`` is ``mid`` ``quote``.

    ``observed_at`` is the source's own instant, ``fetched_at`` ours; both are aware UTC. ``mid``
    may still be anything the text held, a NaN included: ``guard.check`` judges it.
    """

    base: Currency
    quote: Currency
    mid: Decimal
    source: str
    observed_at: datetime
    fetched_at: datetime

    def __post_init__(self) -> None:
        assert self.base != self.quote, "a rate has two currencies"
        assert self.observed_at.tzinfo and self.fetched_at.tzinfo, "instants are aware"


@dataclass(frozen=True, slots=True)
class PublishedRate:
    """One row of the log: from ``effective_at`` on, 1 ``base`` is ``rate`` ``quote``.

    ``rate`` None is a gap: fares are taken, charges wait. ``effective_at`` is a whole minute.
    """

    base: Currency
    quote: Currency
    effective_at: datetime
    rate: Decimal | None
    source: str
    published_at: datetime

    def __post_init__(self) -> None:
        assert self.base != self.quote, "a rate has two currencies"
        assert self.effective_at.tzinfo and self.published_at.tzinfo, "instants are aware"
        assert not (self.effective_at.second or self.effective_at.microsecond), "whole minutes"
        if self.rate is not None:
            assert self.rate.is_finite() and self.rate > 0, "a published rate is positive"
            assert quantise(self.rate) == self.rate, "a published rate has 10 decimals at most"

    @property
    def is_gap(self) -> bool:
        return self.rate is None


@dataclass(frozen=True, slots=True)
class NotYet:
    """The log holds no row effective after ``instant``, so nothing at it can be priced yet."""

    instant: datetime


def rate_at(rows: Sequence[PublishedRate], instant: datetime) -> PublishedRate | NotYet | None:
    """The row that prices ``instant``: the one with the latest effective_at <= instant.

    ``rows`` are one pair's rows in any order. ``NotYet`` unless a row is effective AFTER the
    instant, so when a journey is priced never changes its rate. None when the log began later
    than the instant, which is priced like a gap.
    """
    if not any(row.effective_at > instant for row in rows):
        return NotYet(instant)
    before = [row for row in rows if row.effective_at <= instant]
    return max(before, key=lambda row: row.effective_at, default=None)
