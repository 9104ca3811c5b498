"""Arbitrary tariffs: every kind of fares, every term, names in any script."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import strategies as st

from transitpay.fares.calendars import CALENDARS
from transitpay.fares.tariff import FlatFares, MatrixFares, Stop, Tariff
from transitpay.fares.terms import (
    BusinessCar,
    Cap,
    CapPeriod,
    Claims,
    CodeDiscount,
    HabitTerms,
    LengthFares,
    LengthStep,
    LongRoutes,
    MonthTier,
    MonthTiers,
    Overstay,
    OverstayMode,
    SameStation,
    Suspension,
    Terms,
    TermSource,
    Tier,
    Transfer,
)
from transitpay.money import HKD, Money, Rounding

shown = st.characters(exclude_categories=("Cc", "Cf", "Cs"))
texts = st.text(shown, min_size=1, max_size=8)
ids = st.text("0123456789ABCabc路線-", min_size=1, max_size=5)
counts = st.integers(1, 100)
percents = st.integers(0, 100)
days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
amounts = st.builds(Money, st.integers(0, 10**4).map(lambda n: n * 100), st.just(HKD))
minors = st.integers(0, 500).map(lambda n: n * 10)
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,5}", fullmatch=True)
versions = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._#+/@:=-]{0,9}", fullmatch=True)
networks = st.frozensets(ids, max_size=3)
others = st.frozensets(names, min_size=1, max_size=3)


def several(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(strategy, max_size=3).map(tuple)


_overstays = st.builds(Overstay, st.sampled_from(OverstayMode), amounts, texts)
_transfers = st.builds(Transfer, others, counts, amounts, texts, networks, st.none() | days)
rising = st.lists(st.integers(1, 500), min_size=1, max_size=3, unique=True).map(sorted)


@st.composite
def _lengths(draw: st.DrawFn) -> LengthFares:
    long = st.builds(
        LongRoutes, st.integers(500, 600), amounts, counts, counts, amounts,
        st.just(Money(10**6, HKD)),
    )  # fmt: skip
    steps = [LengthStep(km, draw(amounts)) for km in draw(rising)]
    return LengthFares((*steps, LengthStep(None, draw(amounts))), draw(st.none() | long), "s")


@st.composite
def _month(draw: st.DrawFn) -> MonthTiers:
    tiers = (MonthTier(least, draw(percents), draw(st.booleans())) for least in draw(rising))
    return MonthTiers(tuple(tiers), draw(texts))


@st.composite
def _discounts(draw: st.DrawFn) -> CodeDiscount:
    first, last = sorted((draw(days), draw(days)))
    return CodeDiscount(draw(texts), draw(percents), first, last, draw(texts))


_plain = {
    "step_minor": st.sampled_from([1, 10, 100]),
    "rounding": st.sampled_from(Rounding),
    "max_wait_hours": counts,
    "same_station_at": several(st.tuples(ids, amounts)),
    "walks": st.frozensets(st.frozensets(ids, min_size=2, max_size=2), max_size=2),
    "code_discounts": several(_discounts()),
    "transfers": several(_transfers),
    "default_fare": st.none() | amounts,
    "by_length": st.none() | _lengths(),
    "wallets": networks,
    "month_tiers": st.none() | _month(),
    "ride_limit_minutes": st.none() | counts,
    "forgotten_alighting_full": st.booleans(),
    "calendar": st.none() | st.sampled_from(sorted(CALENDARS)),
    "companions_count": st.booleans(),
    "passback_minutes": counts,
    "late_window_days": counts,
    "delayed_stay_hours": counts,
    "business_car": st.none() | st.builds(BusinessCar, counts, networks, texts),
    "suspensions": several(st.builds(Suspension, counts, counts, st.booleans(), texts)),
    "claims": st.none() | st.builds(Claims, counts, counts, texts),
    "habit": st.none() | st.builds(HabitTerms, counts, st.integers(1, 30), counts, texts),
    "unknown": several(texts),
    "sources": several(st.builds(TermSource, texts, texts, texts)),
}


@st.composite
def terms(draw: st.DrawFn, network: str) -> Terms:
    """Terms of a network with or without gates."""
    values = {name: draw(strategy) for name, strategy in _plain.items()}
    if draw(st.booleans()):
        values |= {
            "limit_minutes": 150,
            "longest_stay_minutes": draw(st.integers(150, 150 + 60 * values["max_wait_hours"])),
            "ride_limit_minutes": None,
            "maximum_fare": draw(amounts),
            "overstay": draw(st.none() | _overstays),
            "same_station": (
                SameStation(draw(counts), draw(amounts), draw(texts)),
                SameStation(None, draw(amounts), draw(texts)),
            ),
        }
    periods = draw(st.lists(st.sampled_from(CapPeriod), max_size=3))
    shared = draw(others) | {network}
    values["caps"] = tuple(Cap(it, draw(amounts), shared, draw(texts)) for it in periods)
    if draw(st.booleans()):
        values["tiers"] = (Tier(draw(counts), 80), Tier(None, draw(percents)))
    return Terms(**values)


@st.composite
def area_matrices(draw: st.DrawFn, known: tuple[str, ...]) -> MatrixFares:
    """Fares of areas: none, free, or any; each of these stops is in one of the areas."""
    drawn = draw(st.lists(st.integers(0, 2), min_size=len(known), max_size=len(known)))
    place: dict[int, int] = {}
    area_of = tuple(place.setdefault(area, len(place)) for area in drawn)
    row = st.lists(st.none() | minors, min_size=len(place), max_size=len(place)).map(tuple)
    rows = draw(st.lists(row, min_size=len(place), max_size=len(place)))
    return MatrixFares(known, tuple(rows), area_of)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Any tariff."""
    known = draw(st.lists(ids, min_size=1, max_size=5, unique=True))
    called = st.lists(texts, min_size=1, max_size=4).map(tuple)
    name = st.just("") | texts
    places = st.lists(ids, max_size=2, unique=True)
    fares: MatrixFares | FlatFares
    kind = draw(st.sampled_from(["stops", "areas", "flat"]))
    if kind == "areas":
        fares = draw(area_matrices(tuple(draw(st.permutations(known)))))
    elif kind == "stops":
        row = st.lists(minors, min_size=len(known), max_size=len(known)).map(tuple)
        rows = draw(st.lists(row, min_size=len(known), max_size=len(known)))
        if draw(st.booleans()):
            rows[-1] = rows[0]
        fares = MatrixFares(tuple(draw(st.permutations(known))), tuple(rows))
    else:
        fares = FlatFares(
            {route: draw(minors) for route in known},
            draw(st.none() | minors),
            draw(st.dictionaries(ids, minors, max_size=2)),
            draw(st.dictionaries(st.tuples(ids, ids), minors, max_size=2)),
            draw(st.dictionaries(st.tuples(ids, ids, ids), minors, max_size=2)),
        )
    network = draw(names)
    return Tariff(
        network=network,
        operator=draw(names),
        currency=HKD,
        version=draw(versions),
        valid_from=draw(days),
        source=draw(texts),
        stops=tuple(Stop(it, draw(called), draw(name), draw(name), draw(name)) for it in known),
        boarding_stops=tuple(Stop(it, draw(called)) for it in draw(places)),
        fares=fares,
        terms=draw(terms(network)),
        recorded_at=draw(st.none() | st.just(datetime(2026, 11, 1, tzinfo=UTC))),
    )
