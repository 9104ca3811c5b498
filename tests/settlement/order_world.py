"""Riders of several networks and wallets whose taps arrive in any order, cleared and charged.

One database serves many examples: each has riders of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from instant_wallet import InstantWallet

from settlement.clearing.clear_taps import Clearer
from settlement.collecting.charge_wallets import ChargeTerms, ChargeWorker
from settlement.collecting.refunds import RefundWorker
from transitpay.charging.charge import ChargePolicy
from transitpay.clock import LOCAL_ZONE, ManualClock, day_start
from transitpay.fares.tariff import Tariff, TariffBook
from transitpay.fares.terms import Cap, CapPeriod, MonthTier, MonthTiers
from transitpay.fx.agreement import builtin_agreements
from transitpay.fx.rate import PublishedRate, invert
from transitpay.money import CNY, HKD, Money
from transitpay.postgres import reference
from transitpay.postgres.gates import tap_groups, taps
from transitpay.postgres.money import rates
from transitpay.runtime.builtin import builtin_tariffs
from transitpay.runtime.calendars import known_calendars
from transitpay.taps import Direction, RiderRef, TapKey

#: The second day is the last of its month.
FIRST = date(2026, 10, 30)
T0 = day_start(FIRST + timedelta(days=3), 12)
END = T0 + timedelta(days=6)
WALLETS = ("shenzhen-tong", "alipayhk", "alipay")
GATED = ("mtr", "shenzhen-metro")
ONLY_ALIPAYHK = ("foshan-bus", "guangzhou-bus")
STOPS = {
    "mtr": ("1", "2", "78"),
    "shenzhen-metro": ("0101", "0103", "1113"),
    "kmb": ("1A", "B1"),
    "shenzhen-bus": ("22路", "M462"),
    "guangzhou-bus": ("1路",),
    "foshan-bus": ("101路",),
}
#: No rate was published in this hour: fares are held.
GAP = (day_start(FIRST + timedelta(days=1), 13), day_start(FIRST + timedelta(days=1), 14))


@dataclass(frozen=True, slots=True)
class Scan:
    """One tap: minutes after the first midnight, where, and of whom (slot 1 is a companion)."""

    minute: int
    network: str
    direction: str
    stop: str
    slot: int = 0

    @property
    def at(self) -> datetime:
        return day_start(FIRST) + timedelta(minutes=self.minute)


def mid_at(at: datetime) -> Decimal:
    """The published mid of HKD in CNY: it changes every 20 minutes."""
    step = int((at - day_start(FIRST)).total_seconds()) // 1200
    return Decimal("0.9150") + Decimal(step % 97) / Decimal(10000)


def book() -> TariffBook:
    """The built-in tariffs, with month tiers and caps that a few rides reach."""
    tiers = MonthTiers((MonthTier(400, 80), MonthTier(500, 50)), "test")
    cap = Cap(CapPeriod.DAY, Money(1200, HKD), frozenset({"kmb"}), "test")

    def nearer(it: Tariff) -> Tariff:
        if it.terms.month_tiers is not None:
            return replace(it, terms=replace(it.terms, month_tiers=tiers))
        if it.network == "kmb":
            return replace(it, terms=replace(it.terms, caps=(cap,)))
        return it

    return TariffBook([nearer(it) for it in builtin_tariffs()], known_calendars())


@dataclass(slots=True, repr=False)
class OrderWorld:
    owner: Any
    pool: Any
    clock: ManualClock
    clearer: Clearer
    wallets: dict[str, InstantWallet]
    charging: list[ChargeWorker]
    refunding: list[RefundWorker]
    riders: int = 0

    def new_rider(self, wallet: str) -> RiderRef:
        self.riders += 1
        return RiderRef(wallet, f"{self.riders:016x}", 0)

    async def arrive(self, rider: RiderRef, scans: Sequence[tuple[int, Scan]]) -> None:
        """These taps, each with its number in the order of time, are committed together."""
        base = int(rider.rider_id, 16) * 100
        rows = []
        for number, it in scans:
            day = it.at.astimezone(LOCAL_ZONE).date()
            key = TapKey(day, f"{it.network}-1", base + number)
            digest = hashlib.sha256(str(key).encode()).digest()
            route = None if it.network in GATED else it.stop
            ref = RiderRef(rider.issuer, rider.rider_id, it.slot)
            row = taps.TapRow(
                key, it.at, self.clock.now(), 0, it.network, it.network, it.stop,
                Direction(it.direction), route, None, None, "online", None, digest, b"", ref,
                "accepted", None, (),
            )  # fmt: skip
            rows.append(tap_groups.NewTap(row))
        if rows:
            await tap_groups.write_group(self.owner, rows, self.clock.now())
            await self.read_again(rider, min(it.at for _, it in scans))

    async def refuse(self, rider: RiderRef, number: int, it: Scan) -> None:
        """It turns out that nobody passed."""
        await self.owner.execute(
            "update tap set decision = 'refused', reason = 'not_passed'"
            " where tapped_day = $1 and reader = $2 and sequence = $3",
            it.at.astimezone(LOCAL_ZONE).date(),
            f"{it.network}-1",
            int(rider.rider_id, 16) * 100 + number,
        )
        await self.read_again(rider, it.at)

    async def read_again(self, rider: RiderRef, since: datetime | None) -> None:
        who = [(rider.issuer, rider.rider_id)]
        await taps.note_riders(self.owner, who, self.clock.now(), since)

    async def heard(self, through: datetime) -> None:
        """Every reader says that it has reported all its scans up to ``through``."""
        await self.owner.execute("update reader_status set through_at = $1", through)

    async def charge(self) -> int:
        """One round of every wallet's workers; how much they did."""
        done = 0
        for worker in (*self.charging, *self.refunding):
            done += await worker.once()
        return done

    async def come_to_rest(self) -> None:
        """All is heard, wallets pay, and everything is worked off."""
        for wallet in self.wallets.values():
            wallet.moody = False
        for _ in range(3):  # what is in doubt is asked about on the same day
            self.clock.at += timedelta(seconds=4)
            await self.charge()
        await self.heard(END)
        self.clock.at = max(self.clock.at, T0 + timedelta(days=4))
        for _ in range(12):
            self.clock.at += timedelta(hours=2)
            cleared = await self.clearer.once()
            if not cleared + await self.charge() and not await self._open():
                return
        raise AssertionError("nothing comes to rest")

    async def _open(self) -> int:
        found: int = await self.owner.fetchval(
            "select (select count(*) from tap_inbox)"
            " + (select count(*) from charge where next_at is not null)"
            " + (select count(*) from refund where next_at is not null)"
        )
        return found


async def make_order_world(db: Any) -> OrderWorld:
    owner = await db.connect()
    pool = await db.pool("transitpay_settlement")
    for wallet in WALLETS:
        await reference.put_participant(
            owner, reference.Participant(wallet, "wallet", wallet, "CNY")
        )
    for network in STOPS:
        await reference.put_participant(
            owner, reference.Participant(network, "operator", network, "CNY")
        )
        name = f"{network}-1"
        await reference.put_actor(
            owner, reference.Actor(name, name, reference.Role.READER, network)
        )
        await reference.put_reader(
            owner,
            reference.ReaderRegistration(name, network, network, 0, 0, "1", Direction.ENTRY),
        )
        await reference.put_reader_status(owner, name, 1, day_start(FIRST), T0)
    await reference.put_agreements(owner, builtin_agreements(), T0)
    await taps.ensure_partitions(owner, FIRST, FIRST + timedelta(days=4))
    await rates.append(owner, _log())
    clock = ManualClock(T0)
    wallets = {name: InstantWallet(clock) for name in WALLETS}
    terms = ChargeTerms(ChargePolicy(), "http://127.0.0.1:1/notify")
    return OrderWorld(
        owner,
        pool,
        clock,
        Clearer(pool, book(), clock),
        wallets,
        [ChargeWorker(name, it, pool, clock, terms) for name, it in wallets.items()],
        [RefundWorker(name, it, pool, clock, terms) for name, it in wallets.items()],
    )


def _log() -> list[PublishedRate]:
    rows = []
    at = day_start(FIRST)
    while at < day_start(FIRST + timedelta(days=5)):
        gap = GAP[0] <= at < GAP[1]
        mid = None if gap else mid_at(at)
        rows.append(PublishedRate(HKD, CNY, at, mid, "test", at))
        rows.append(PublishedRate(CNY, HKD, at, mid and invert(mid), "test", at))
        at += timedelta(minutes=20)
    return rows
