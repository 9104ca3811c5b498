"""What the rides before take off a fare: month tiers, then transfers, then caps.

The order is that of the fare's lines: the month tier is a share of what the journey alone costs,
the transfer comes off that, and a cap ends what is left. Rides are added in the order of their
first taps, so that every set of rides has one history.

A ride counts, and gets these discounts, where both its ends are known, it did not stay too long,
and it was not late (our reading). A whole ride that stayed too long, or whose alighting scan was
forgotten, still gives its transfer. Each slot has its own history; companions have none unless the
terms say so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never

from transitpay.fares import line_texts
from transitpay.fares.fare import Fare, FareLine, total
from transitpay.fares.rounding import percent_of
from transitpay.fares.tariff import Tariff
from transitpay.fares.terms import CapPeriod, Terms, Transfer
from transitpay.journeys.journey import Excuse, Journey, JourneyKind
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.money import Currency, Money


@dataclass(slots=True)
class _Ended:
    """When a ride of a network ended, and whether a transfer from it was given.

    Of two that ended at one instant the one added later is the last.
    """

    network: str
    at: datetime
    place: int
    given: bool = False


class History:
    """The rides of one rider so far, as far as they change the next fare."""

    __slots__ = ("_added", "_ended", "_paid")

    def __init__(self) -> None:
        self._added = 0
        self._ended: dict[tuple[int, str], list[_Ended]] = {}
        self._paid: dict[tuple[int, str, str], dict[date, int]] = {}

    def add(self, journey: Journey, tariff: Tariff, fare: Fare) -> None:
        """Remember a ride that has its fare."""
        if not _has_history(journey, tariff.terms):
            return
        place = (journey.rider.slot, journey.network)
        ends_at = _transfer_from(journey)
        if ends_at is not None:
            self._added += 1
            before = _may_be_last(self._ended.get(place, ()), journey.first_tap.at)
            self._ended[place] = [*before, _Ended(journey.network, ends_at, self._added)]
        if not _is_penal(journey):
            days = self._paid.setdefault((*place, fare.amount.currency.code), {})
            days[journey.service_day] = days.get(journey.service_day, 0) + fare.amount.minor

    def add_kept(self, journey: Journey, tariff: Tariff, fare: Fare) -> None:
        """Remember a ride that was priced before and keeps its fare, with the transfer it took."""
        if any(line.code == "transfer" for line in fare.lines):
            one = Money(1, fare.amount.currency)
            self._transfer(journey, tariff.terms, journey.rider.issuer, one)
        self.add(journey, tariff, fare)

    def discounts(
        self, journey: Journey, tariff: Tariff, wallet: str, lines: list[FareLine]
    ) -> list[FareLine]:
        """The lines by which the rides before make this one cheaper; ``lines`` are its own."""
        terms = tariff.terms
        if not (terms.month_tiers or terms.transfers or terms.caps):
            return []
        if not _has_history(journey, terms) or _is_penal(journey):
            return []
        found: list[FareLine] = []
        for step in (self._month_tier, self._transfer, self._cap):
            found += step(journey, terms, wallet, total([*lines, *found]))
        return found

    def _month_tier(
        self, journey: Journey, terms: Terms, wallet: str, left: Money
    ) -> list[FareLine]:
        if terms.month_tiers is None:
            return []
        spent = self._spent_in(CapPeriod.MONTH, journey, {journey.network}, left.currency)
        reached = [
            tier
            for tier in terms.month_tiers.tiers
            if spent.minor > tier.from_minor or (tier.including and spent.minor == tier.from_minor)
        ]
        if not reached:
            return []
        percent = max(reached, key=lambda tier: tier.from_minor).percent
        less = percent_of(left, percent, terms) - left
        if less.minor >= 0:
            return []
        source = terms.month_tiers.source
        return [FareLine(line_texts.MONTH_TIER, less, (spent, percent), source)]

    def _transfer(self, journey: Journey, terms: Terms, wallet: str, left: Money) -> list[FareLine]:
        """The first of the network's transfers that holds, from the ride that ended last."""
        begins_at = journey.first_tap.at
        for transfer in terms.transfers:
            if not transfer.holds(wallet, journey.service_day) or left.minor <= 0:
                continue
            before = self._last_before(journey.rider.slot, begins_at, transfer)
            if before is not None:
                before.given = True
                off = Money(min(transfer.off.minor, left.minor), left.currency)
                values = (begins_at - before.at, before.network, transfer.within_minutes)
                return [FareLine(line_texts.TRANSFER, -off, values, transfer.source)]
        return []

    def _cap(self, journey: Journey, terms: Terms, wallet: str, left: Money) -> list[FareLine]:
        found: list[FareLine] = []
        for cap in terms.caps:
            spent = self._spent_in(cap.period, journey, cap.networks, left.currency)
            over = min(spent.minor + left.minor - cap.amount.minor, left.minor)
            if over > 0:
                less = Money(over, left.currency)
                values = (cap.amount, cap.period)
                found.append(FareLine(line_texts.CAP, -less, values, cap.source))
                left = left - less
        return found

    def _last_before(self, slot: int, begins_at: datetime, transfer: Transfer) -> _Ended | None:
        """The ride of the transfer's networks that ended last, if it may still give one."""
        ended = [
            it
            for network in transfer.after
            for it in self._ended.get((slot, network), ())
            if it.at <= begins_at
        ]
        if not ended:
            return None
        last = max(ended, key=_when)
        within = begins_at - last.at <= timedelta(minutes=transfer.within_minutes)
        return last if within and not last.given else None

    def _spent_in(
        self, period: CapPeriod, journey: Journey, networks: Collection[str], unit: Currency
    ) -> Money:
        first_day = _first_day(period, journey.service_day)
        spent = 0
        for network in networks:
            days = self._paid.get((journey.rider.slot, network, unit.code), {})
            spent += sum(paid for day, paid in days.items() if day >= first_day)
        return Money(spent, unit)


def _when(ended: _Ended) -> tuple[datetime, int]:
    return (ended.at, ended.place)


def _may_be_last(ended: Sequence[_Ended], begins_at: datetime) -> list[_Ended]:
    """Those that may be the last to have ended for a ride that begins then or later.

    Taps of two rides that overlap, as where an exit and the next entry are missing, leave several.
    """
    over = [it for it in ended if it.at <= begins_at]
    return [*([max(over, key=_when)] if over else []), *(it for it in ended if it.at > begins_at)]


def _first_day(period: CapPeriod, day: date) -> date:
    """Since when a period adds up; no ride so far is of a later day than ``day``."""
    match period:
        case CapPeriod.DAY:
            return day
        case CapPeriod.WEEK:
            return day - timedelta(days=day.weekday())
        case CapPeriod.MONTH:
            return day.replace(day=1)
        case _:
            assert_never(period)


def _has_history(journey: Journey, terms: Terms) -> bool:
    return not journey.late and (journey.rider.slot == 0 or terms.companions_count)


def _is_penal(journey: Journey) -> bool:
    """A maximum fare or a surcharge for a long stay is no ride to be discounted or counted."""
    if journey.filled is not None:
        return False
    if journey.reason is JourneyReason.OVERSTAY:
        return journey.excuse is not Excuse.DELAY
    return journey.reason is not None


def _transfer_from(journey: Journey) -> datetime | None:
    """From which instant a transfer runs: the exit from gates, or the boarding of a bus."""
    if journey.kind is not JourneyKind.ENTRY_EXIT:
        return journey.first_tap.at
    return None if journey.exit is None or journey.entry is None else journey.exit.at
