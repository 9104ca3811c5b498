"""Whatever comes when, what stands in the end is what the pure functions make of all the facts.

Taps, station modes and statements of random days arrive in any order, with clearings between, some
of them before the readers have reported. The oracle reads the same facts once.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from luck import examples

sys.path.insert(0, str(Path(__file__).parent.parent / "journeys"))

from random_days import BOOK, FAR, MINUTE, NETWORKS, RULES, START, Days, batches, days

from settlement.clearing.clear_taps import Clearer
from transitpay.clock import LOCAL_ZONE, ManualClock, service_day
from transitpay.fares.fare import Priced
from transitpay.fares.rider_pricing import price_all
from transitpay.fx.agreement import builtin_agreements
from transitpay.fx.rate import PublishedRate, invert
from transitpay.journeys.assembly import assemble
from transitpay.journeys.statements import Statement, StatementKind
from transitpay.journeys.station_modes import StationMode
from transitpay.money import CNY, HKD
from transitpay.postgres import reference
from transitpay.postgres.closing import books
from transitpay.postgres.gates import tap_groups
from transitpay.postgres.gates import taps as tap_rows
from transitpay.postgres.money import rates
from transitpay.taps import Direction, RiderRef, Tap, TapKey

WALLET = "alipayhk"
MID = Decimal("0.9100000000")
Fact = StationMode | Statement | list[Tap]
#: Keys of taps, fare, when it was priced, state and reason.
Standing = tuple[tuple[TapKey, ...], int, datetime, str, str]


@dataclass(slots=True)
class Facts:
    """A database for many examples, each with a rider of its own. ``free`` may delete anything."""

    owner: Any
    free: Any
    clock: ManualClock
    clearer: Clearer
    riders: int = 0
    here: set[TapKey] = field(default_factory=set)

    @property
    def rider(self) -> tuple[str, str]:
        return WALLET, f"{self.riders:016x}"

    async def begin(self) -> None:
        """A new rider, without the modes of the one before; no reader has reported anything."""
        self.riders += 1
        self.here.clear()
        self.clock.at = START
        await self.free.execute(
            "delete from station_mode; delete from journey_statement; delete from tap_inbox"
        )
        await self.heard(START - timedelta(days=90))

    async def heard(self, through: datetime) -> None:
        await self.owner.execute("update reader_status set through_at = $1", through)

    async def learn(self, fact: Fact, modes: tuple[StationMode, ...], taps: list[Tap]) -> None:
        match fact:
            case StationMode():
                await self._mode(fact, modes)
            case Statement():
                await self._say(fact, next(it for it in taps if it.key == fact.tap))
            case _:
                await self._taps(fact)

    async def _taps(self, batch: list[Tap]) -> None:
        fresh = [it for it in {it.key: it for it in batch}.values() if it.key not in self.here]
        self.here |= {it.key for it in fresh}
        for it in fresh:
            assert it.received_at is not None
            row = tap_rows.TapRow(
                it.key, it.at, it.received_at, 0, it.operator, it.network, it.stop, it.direction,
                it.route, it.vehicle, None, "online", None,
                hashlib.sha256(str(it.key).encode()).digest(), b"", it.rider, "accepted", None, (),
            )  # fmt: skip
            await tap_groups.write_group(self.owner, [tap_groups.NewTap(row)], it.received_at)
        if batch:
            await self._again(min(it.at for it in batch))

    async def _mode(self, it: StationMode, modes: tuple[StationMode, ...]) -> None:
        await self.free.execute(
            "insert into station_mode (operator, request_id, network, stop, mode, valid_from,"
            " valid_until, reason, replaces, recorded_by, recorded_at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            it.operator, it.request_id, it.network, it.stop, str(it.mode), it.valid_from,
            it.valid_until, it.reason, it.replaces, it.recorded_by, it.recorded_at,
        )  # fmt: skip
        replaced = [m.valid_from for m in modes if m.request_id == it.replaces]
        await self._again(min([it.valid_from, *replaced]))

    async def _say(self, it: Statement, tap: Tap) -> None:
        approval = None
        if it.kind is StatementKind.CORRECTED:
            approval = await self.free.fetchval(
                "insert into approval (subject, content_sha256, proposed_by, approved_by,"
                " proposed_at, approved_at) values ('x', '', 'a', 'b', $1, $1) returning id",
                it.stated_at,
            )
        await self.free.execute(
            "insert into journey_statement (stated_for, request_id, kind, issuer, rider_id,"
            " tapped_day, reader, sequence, tapped_at, network, service_day, stop, reason,"
            " stated_by, stated_at, approval)"
            " values ('mtr', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'r', 'x', $12, $13)",
            it.id, str(it.kind), *self.rider, *it.tap, tap.at, tap.network, service_day(tap.at),
            it.stop, it.stated_at, approval,
        )  # fmt: skip
        await self._again(tap.at)

    async def _again(self, since: datetime) -> None:
        await tap_rows.note_riders(self.owner, [self.rider], self.clock.at, since)

    async def come_to_rest(self) -> None:
        await self.heard(FAR)
        self.clock.at = FAR
        for _ in range(8):
            self.clock.at += timedelta(hours=2)
            await self.clearer.once()
            if not await self.owner.fetchval("select count(*) from tap_inbox"):
                return
        raise AssertionError("the rider is read for ever")

    async def standing(self) -> list[Standing]:
        rows = await self.owner.fetch(
            "select array_agg((t.tapped_day, t.reader, t.sequence)) as taps, j.fare_minor,"
            " j.priced_at, j.state, coalesce(j.reason, '') as reason"
            " from journey j join journey_tap t on t.journey_id = j.id"
            " where j.issuer = $1 and j.rider_id = $2 group by j.id",
            *self.rider,
        )
        return sorted(
            (tuple(sorted(TapKey(*key) for key in row["taps"])), *tuple(row.values())[1:])
            for row in rows
        )


@pytest.fixture
async def facts(db: Any) -> AsyncIterator[Facts]:
    owner, free = await db.connect(), await db.connect()
    for wallet in (WALLET, "alipay", "shenzhen-tong"):
        await reference.put_participant(
            owner, reference.Participant(wallet, "wallet", wallet, "HKD")
        )
    for network in NETWORKS:
        await reference.put_participant(
            owner, reference.Participant(network, "operator", network, "HKD")
        )
        actor = reference.Actor(f"{network}-1", network, reference.Role.READER, network)
        await reference.put_actor(owner, actor)
        reader = reference.ReaderRegistration(
            actor.id, network, network, 0, 0, "1", Direction.ENTRY
        )
        await reference.put_reader(owner, reader)
        await reference.put_reader_status(owner, actor.id, 1, START, START)
    await reference.put_agreements(owner, builtin_agreements(), START)
    day = START.astimezone(LOCAL_ZONE).date()
    await tap_rows.ensure_partitions(owner, day - timedelta(days=1), day + timedelta(days=7))
    log = [START + timedelta(hours=n) for n in range(-48, 240)]
    await rates.append(
        owner,
        [
            PublishedRate(base, quote, at, mid, "test", at)
            for at in log
            for base, quote, mid in ((HKD, CNY, MID), (CNY, HKD, invert(MID)))
        ],
    )
    await free.execute("set session_replication_role = replica")
    clock = ManualClock(START)
    yield Facts(owner, free, clock, Clearer(await db.pool("transitpay_settlement"), BOOK, clock))
    for question in books.QUESTIONS:
        assert await books.answers(owner, question) == [], question.says


def of_rider(of: Days, facts: Facts) -> Days:
    """The same days for the rider of this example, without what operators give back."""
    keys: dict[TapKey, TapKey] = {}
    taps = []
    for it in of.taps:
        day = it.at.astimezone(LOCAL_ZONE).date()
        keys[it.key] = TapKey(day, it.key.reader, facts.riders * 1000 + it.key.sequence)
        taps.append(replace(it, key=keys[it.key], rider=RiderRef(*facts.rider, it.rider.slot)))
    said = {keys[s.tap]: s for s in of.statements if s.kind is not StatementKind.GIVEN_BACK}
    statements = tuple(replace(it, tap=key) for key, it in said.items())
    once = {it.replaces: it for it in of.modes if it.replaces}
    modes = tuple(it for it in of.modes if not it.replaces or it in once.values())
    return replace(of, taps=tuple(taps), statements=statements, modes=modes)


async def arrive(facts: Facts, of: Days) -> None:
    """All facts in some order, modes in that of their records, with clearings between."""
    some: list[Fact] = [*batches(of), *of.modes, *of.statements]
    of.chance.shuffle(some)
    modes = iter(of.modes)
    at = START
    for fact in some:
        at += of.chance.randrange(3 * 1440) * MINUTE
        facts.clock.at = at
        told = next(modes) if isinstance(fact, StationMode) else fact
        await facts.learn(told, of.modes, list(of.taps))
        if of.chance.random() < 0.4:
            await facts.heard(START + of.chance.randrange(5 * 1440) * MINUTE)
        if of.chance.random() < 0.8:
            await facts.clearer.once()


def ought(of: Days) -> list[Standing]:
    """What the pure functions make of all facts, read once, when everything is known."""
    found = assemble(
        of.taps,
        RULES,
        dict.fromkeys(NETWORKS, FAR),
        FAR,
        modes=of.modes,
        statements=of.statements,
    )
    return sorted(
        (
            tuple(sorted(tap.key for tap in it.journey.taps)),
            it.fare.amount.minor,
            it.journey.priced_at,
            str(it.journey.state),
            str(it.journey.reason or ""),
        )
        for it in price_all(found.journeys, BOOK)
        if isinstance(it, Priced)
    )


# Shrinking would take minutes and make little smaller. Each example has a rider of its own.
@settings(
    max_examples=examples(100),
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(days())
async def test_what_stands_in_the_end_is_what_all_facts_together_give(
    facts: Facts, of: Days
) -> None:
    await facts.begin()
    mine = of_rider(of, facts)
    await arrive(facts, mine)
    await facts.come_to_rest()
    assert await facts.standing() == ought(mine)
