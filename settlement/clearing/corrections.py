"""Saves what readings of riders change: journeys that end, journeys that are cleared, their money.

All in the transaction that read the riders: an ended journey gives up its taps and its fare is
taken back at its own quote; what stands instead is booked like any other journey; the riders'
charges follow (``wallet_money``). A correction of which a charge is with its wallet waits, and one
that needs more money while a refund is in doubt, for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from settlement.clearing import wallet_money
from settlement.clearing.clearing_batch import Booking, ClearedJourney, Rider, wait
from settlement.clearing.wallet_money import RiderMoney
from transitpay.charging.allotment import Due
from transitpay.charging.charge import ChargePolicy
from transitpay.charging.correcting import Corrected, InFlight, RefundsAwaited, Tied, correct
from transitpay.comparison import Ended, EndedWhy
from transitpay.ledger.bookings import FareSubject, taken_back
from transitpay.ledger.journal import Entry
from transitpay.ledger.open_items import fare_item, fare_reversal_item
from transitpay.postgres.journeys import clearing_reads, clearing_rows
from transitpay.postgres.money import charge_parts, journal, refunds
from transitpay.postgres.money.charge_parts import TiedCharge
from transitpay.postgres.pool import Connection
from transitpay.taps import TapKey

#: A fare ends once: this makes the item of its reversal.
_ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved; ``bookings`` are without the corrections that wait, some for refunds."""

    bookings: tuple[Booking, ...] = ()
    money: tuple[RiderMoney, ...] = ()
    awaited: tuple[str, ...] = ()

    @property
    def cleared(self) -> tuple[ClearedJourney, ...]:
        return tuple(cleared for it in self.bookings for cleared in (*it.new, *it.replacing))

    @property
    def ended(self) -> tuple[Ended, ...]:
        return tuple(e for it in self.bookings if it.corrects for e in it.reading.changes.ended)


async def save(
    conn: Connection,
    decided: Sequence[Booking],
    at: datetime,
    retry: timedelta,
    policy: ChargePolicy | None = None,
) -> Saved:
    """Everything that a batch became, each fact with its entry and its item."""
    ending = [e.booked.id for it in decided if it.corrects for e in it.reading.changes.ended]
    tied = await charge_parts.lock_of_journeys(conn, ending) if ending else {}
    saved = _decide(decided, tied, at, retry, policy)
    if saved.ended:
        await clearing_rows.free_taps(conn, [it.booked.id for it in saved.ended])
    await clearing_rows.add_journeys(conn, saved.cleared, at)
    await _end(conn, saved, at)
    await wallet_money.save(conn, saved.money, tied, at)
    await refunds.note_awaited(conn, saved.awaited, at)
    await _book(conn, saved, at)
    return saved


def _decide(
    decided: Sequence[Booking],
    tied: Mapping[str, TiedCharge],
    at: datetime,
    retry: timedelta,
    policy: ChargePolicy | None,
) -> Saved:
    """What becomes of the riders' charges; a correction that waits is left for later."""
    of_rider: dict[Rider, list[Tied]] = {}
    for charge in tied.values():
        rider = (charge.stored.issuer, charge.stored.rider_id)
        of_rider.setdefault(rider, []).append(charge.tied)
    bookings: list[Booking] = []
    money: list[RiderMoney] = []
    awaited: list[str] = []
    for it in decided:
        rider = it.reading.rider
        if it.new:
            made = correct(rider[0], (), frozenset(), *_dues(it.new), at)
            assert isinstance(made, Corrected), "what is new is not in flight"
            money.append(RiderMoney(*rider, made))
        if it.corrects:
            ended = frozenset(e.booked.id for e in it.reading.changes.ended)
            due = _dues(it.replacing)
            done = correct(rider[0], of_rider.get(rider, ()), ended, *due, at, policy)
            match done:
                case Corrected():
                    money.append(RiderMoney(*rider, done))
                case InFlight(charge_id):
                    attempt = tied[charge_id].stored.charge.open_attempt
                    since = attempt.sent_at if attempt else at
                    it = it.without_correction(at + wait(at - since, retry))
                case RefundsAwaited(doubtful):
                    since = min(refund.created_at for refund in doubtful)
                    it = it.without_correction(at + wait(at - since, retry))
                    awaited += [refund.id for refund in doubtful]
                case _:
                    assert_never(done)
        bookings.append(it)
    return Saved(tuple(bookings), tuple(money), tuple(awaited))


def _dues(cleared: Iterable[ClearedJourney]) -> tuple[list[Due], list[Due]]:
    """What is owed at the wallet, and the fares that wait for a rate."""
    dues: list[Due] = []
    held: list[Due] = []
    for _, it in cleared:
        if it.owed is None:
            held.append(Due(it.journey_id, it.fare.amount))
        else:
            dues.append(Due(it.journey_id, it.owed))
    return dues, held


async def _end(conn: Connection, saved: Saved, at: datetime) -> None:
    if not saved.ended:
        return
    ids = {journey.key: it.journey_id for journey, it in saved.cleared}
    refused = await clearing_reads.refusals(
        conn,
        [k for it in saved.ended if it.why is EndedWhy.TAP_REFUSED for k in sorted(it.booked.taps)],
    )
    rows = [
        (it.booked.id, _why(it, refused), ids[it.successor.key] if it.successor else None)
        for it in saved.ended
    ]
    await clearing_rows.end_journeys(conn, rows, at)


def _why(it: Ended, refused: Mapping[TapKey, str]) -> str:
    """Of a tap that was refused after all, why it was."""
    said = [refused[key] for key in sorted(it.booked.taps) if key in refused]
    return said[0] if it.why is EndedWhy.TAP_REFUSED and said else str(it.why)


async def _book(conn: Connection, saved: Saved, at: datetime) -> None:
    reversals = [it.booked for it in saved.ended if it.booked.fare.amount.minor]
    entries: list[Entry] = []
    for was in reversals:
        subject = FareSubject(was.id, was.journey.operator, was.journey.rider.issuer)
        value = was.quote or was.fare.amount
        entries.append(taken_back(subject, value, at, held=was.owed is None))
    booked = [(j, c) for j, c in saved.cleared if c.entry is not None]
    entries += [c.entry for _, c in booked if c.entry is not None]
    await journal.add_entries(conn, entries)
    items = [
        fare_reversal_item(
            _ENDED, was.id, was.journey.operator, was.journey.service_day, was.fare.amount
        )
        for was in reversals
    ]
    items += [fare_item(c.journey_id, j.operator, j.service_day, c.fare.amount) for j, c in booked]
    await journal.add_open_items(conn, items)
