"""Whatever the order in which taps arrive, the same is owed, booked and paid in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from luck import examples
from order_world import (
    GAP,
    GATED,
    ONLY_ALIPAYHK,
    STOPS,
    T0,
    WALLETS,
    OrderWorld,
    Scan,
    make_order_world,
    mid_at,
)

from transitpay.fx.agreement import FxMode, agreement_on, builtin_agreements
from transitpay.fx.rate import invert
from transitpay.money import currency
from transitpay.postgres.closing import books, day_totals
from transitpay.taps import RiderRef


@dataclass(frozen=True, slots=True)
class Days:
    """A rider's scans in order of time, and how they arrive: batches of their numbers.

    ``refused``: numbers of scans of which it turns out that nobody passed. ``early``: readers say
    from the start that they have reported all, so that journeys are closed too soon.
    """

    wallet: str
    scans: tuple[Scan, ...]
    batches: tuple[tuple[int, ...], ...]
    refused: frozenset[int]
    charged: tuple[bool, ...]
    early: bool


_MINUTE = st.integers(0, 2).flatmap(
    lambda day: st.integers(300, 1430).map(lambda m: day * 1440 + m)
)


@st.composite
def _rides(draw: st.DrawFn, networks: list[str]) -> list[Scan]:
    """A ride as one takes it, or half of one."""
    network = draw(st.sampled_from(networks))
    places = st.sampled_from(STOPS[network])
    slot = draw(st.sampled_from([0, 0, 0, 1]))
    start, took = draw(_MINUTE), draw(st.sampled_from([2, 15, 40, 90, 170, 230]))
    board, alight = ("entry", "exit") if network in GATED else ("board", "alight")
    first = draw(places)
    last = draw(places) if network in GATED else first
    scans = [Scan(start, network, board, first, slot)]
    if network in (*GATED, "kmb"):
        scans.append(Scan(start + took, network, alight, last, slot))
        scans = draw(st.sampled_from([scans, scans, scans, scans[:1], scans[1:]]))
    return scans


@st.composite
def days(draw: st.DrawFn) -> Days:
    wallet = draw(st.sampled_from(("alipayhk", *WALLETS)))
    taken = [it for it in sorted(STOPS) if wallet == "alipayhk" or it not in ONLY_ALIPAYHK]
    counting = [it for it in taken if it not in GATED]
    networks = draw(
        st.sampled_from([taken, *([it] for it in counting), *([it] for it in counting)])
    )
    rides = draw(st.lists(_rides(networks), min_size=draw(st.integers(2, 8)), max_size=12))
    scans = tuple(
        sorted({it for ride in rides for it in ride}, key=lambda it: (it.minute, str(it)))
    )
    of_scan = [draw(st.integers(0, 3)) for _ in scans]
    batches = tuple(tuple(n for n, of in enumerate(of_scan) if of == b) for b in range(4))
    return Days(
        wallet,
        scans,
        batches,
        draw(st.frozensets(st.integers(0, len(scans) - 1), max_size=1)),
        tuple(draw(st.sampled_from([False, False, True])) for _ in batches),
        draw(st.sampled_from([True, True, False])),
    )


async def in_order(world: OrderWorld, it: Days) -> RiderRef:
    rider = world.new_rider(it.wallet)
    await world.heard(T0)
    kept = [(n, scan) for n, scan in enumerate(it.scans) if n not in it.refused]
    await world.arrive(rider, kept)
    return rider


async def as_it_comes(world: OrderWorld, it: Days) -> RiderRef:
    rider = world.new_rider(it.wallet)
    if it.early:
        await world.heard(T0)
    for wallet in world.wallets.values():
        wallet.moody = True
    for batch, charged in zip(it.batches, it.charged, strict=True):
        await world.arrive(rider, [(n, it.scans[n]) for n in batch])
        await world.clearer.once()
        if charged:
            await world.charge()
            await world.read_again(rider, None)  # all of it; otherwise no further than is needed
    for n in sorted(it.refused):
        await world.refuse(rider, n, it.scans[n])
    return rider


_JOURNEYS = """
select j.key, j.slot, j.network, j.kind, j.state, j.reason, j.route, j.entry_stop, j.exit_stop,
       j.entry_at, j.exit_at, j.priced_at, j.service_day, j.fare_minor, j.fare_currency,
       j.fare_lines, j.tariff_version, j.excuse, j.late, j.charge_minor, j.charge_currency,
       q.mid, q.margin, q.mid_value_minor, q.spread_minor, q.remainder, q.effective_at,
       (select string_agg((t.sequence % 100)::text, ' ' order by t.sequence)
        from journey_tap t where t.journey_id = j.id) as taps
from journey j left join quote q on q.id = j.quote_id
where j.issuer = $1 and j.rider_id = $2 and j.ended_at is null
order by j.key
"""
_BALANCES = """
select account, currency, sum(minor)::bigint as minor
from (
    select p.debit as account, p.currency, p.amount_minor as minor, e.journey_id, e.charge_id
    from entry e join posting p on p.entry_id = e.id
    union all
    select p.credit, p.currency, -p.amount_minor, e.journey_id, e.charge_id
    from entry e join posting p on p.entry_id = e.id
) x
where x.journey_id in (select id from journey where issuer = $1 and rider_id = $2)
   or x.charge_id in (select id from charge where issuer = $1 and rider_id = $2)
group by account, currency having sum(minor) <> 0
order by account, currency
"""
_PAYMENTS = """
select a.request_id from charge c join charge_attempt a on a.charge_id = c.id
where c.issuer = $1 and c.rider_id = $2
"""


async def outcome(world: OrderWorld, rider: RiderRef) -> tuple[list[dict[str, Any]], list[Any]]:
    """The journeys that stand, and the rider's balance in every account."""
    who = (rider.issuer, rider.rider_id)
    journeys = [dict(row) for row in await world.owner.fetch(_JOURNEYS, *who)]
    for it in journeys:
        day, reader, number = it["key"].split("/")
        it["key"] = (day, reader, int(number) % 100)
        # Of which ride a transfer comes stands in words alone, and is not booked anew.
        it["fare_lines"] = [(line["code"], line["amount_minor"]) for line in it["fare_lines"]]
    journeys.sort(key=lambda it: it["key"])
    balances = [tuple(row) for row in await world.owner.fetch(_BALANCES, *who)]
    return journeys, balances


async def paid(world: OrderWorld, rider: RiderRef) -> dict[str, int]:
    """What the wallet holds of the rider's money, by currency, as the wallet itself says."""
    wallet, held = world.wallets[rider.issuer], {}
    for row in await world.owner.fetch(_PAYMENTS, rider.issuer, rider.rider_id):
        if row["request_id"] in wallet.payments:
            unit = wallet.payments[row["request_id"]].currency.code
            held[unit] = held.get(unit, 0) + wallet.left_of(row["request_id"])
    return {unit: minor for unit, minor in held.items() if minor}


def owed(wallet: str, journeys: list[dict[str, Any]]) -> dict[str, int]:
    """What the final fares are at the rate of the final exits; held fares are not asked for."""
    sums: dict[str, int] = {}
    for it in journeys:
        unit = currency(it["fare_currency"])
        agreement = agreement_on(builtin_agreements(), wallet, unit, it["service_day"])
        assert agreement is not None
        into, minor = unit.code, it["fare_minor"]
        if agreement.fx_mode is FxMode.WE_CONVERT and agreement.charge_currency != unit:
            if GAP[0] <= it["priced_at"] < GAP[1] and minor:
                assert it["charge_minor"] is None
                continue
            mid = mid_at(it["priced_at"])
            rate = mid if into == "HKD" else invert(mid)
            exact = Decimal(minor) * rate * (1 + agreement.margin)
            minor = int(exact.to_integral_value(ROUND_HALF_EVEN))
            into = agreement.charge_currency.code
        assert it["charge_minor"] == minor
        sums[into] = sums.get(into, 0) + minor
    return {code: minor for code, minor in sums.items() if minor}


@pytest.fixture
async def world(db: Any) -> AsyncIterator[OrderWorld]:
    made = await make_order_world(db)
    yield made
    await whole_books(made)


async def example(world: OrderWorld, it: Days) -> None:
    world.clock.at = T0
    await world.heard(T0.replace(year=2020))
    mixed = await as_it_comes(world, it)
    plain = await in_order(world, it)
    await world.come_to_rest()
    journeys, balances = await outcome(world, mixed)
    expected = await outcome(world, plain)
    assert journeys == expected[0]
    assert balances == expected[1]
    for rider in (mixed, plain):
        assert await paid(world, rider) == owed(it.wallet, journeys)


# Shrinking would take minutes and make little smaller. Each example has riders of its own.
@settings(
    max_examples=examples(100),
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(days())
async def test_the_order_of_arrival_changes_nothing_that_is_owed_booked_or_paid(
    world: OrderWorld, it: Days
) -> None:
    await example(world, it)
    if world.riders % 20 == 0:
        await whole_books(world)


async def whole_books(world: OrderWorld) -> None:
    """No question of ``ledger check`` finds anything, and facts and books agree."""
    for question in books.QUESTIONS:
        assert await books.answers(world.owner, question) == [], question.says
    assert [it for it in await day_totals.comparisons(world.owner) if not it.equal] == []
