"""The items of closed windows, and their facts in sum: what netting is computed from.

They come from fares, quotes, charges, captures and agreements, and never from the books.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class FareSum:
    """Fares of one operator and wallet that were converted alike; reversals below zero.

    ``items_minor`` is from the window's items, ``fare_minor`` from the journeys. With a quote the
    three quote sums are in ``charge_currency``; a held fare has no charge (currency None).
    """

    operator: str
    wallet: str
    fare_currency: str
    items: int
    items_minor: int
    fare_minor: int
    charge_currency: str | None
    charge_minor: int
    quoted: bool = False
    quote_fare_minor: int = 0
    mid_value_minor: int = 0
    spread_minor: int = 0


@dataclass(frozen=True, slots=True)
class TakingSum:
    """``items`` captures (or cancellations, refunds) of one amount of a wallet's window.

    ``each_minor`` is signed; ``wallet_minor`` is what the attempts and refunds say in sum.
    ``fee_rate`` None: fees are not given back (a refund).
    """

    wallet: str
    currency: str
    items: int
    each_minor: int
    wallet_minor: int
    fee_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class Unposted:
    """An item's subject of which the windows and the books do not say the same."""

    ref: str
    items_minor: int
    posted_minor: int


@dataclass(frozen=True, slots=True)
class WindowLine:
    """One item of a closed window, as its statement shows it."""

    item: str
    item_kind: str
    day: date
    currency: str
    amount_minor: int
    ref: str
