"""Books that are compared with what ought to stand after every batch end as those made at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from hypothesis import given, settings
from luck import examples
from random_days import BOOK, FAR, MINUTE, NETWORKS, RULES, START, Days, batches, days

from transitpay.comparison import Booked, compare
from transitpay.fares.fare import Priced, Unpriced
from transitpay.fares.rider_pricing import price_all
from transitpay.journeys.assembly import assemble
from transitpay.taps import Tap

_ALL = dict.fromkeys(NETWORKS, FAR)


def read(
    of: Days,
    taps: Iterable[Tap],
    booked: Iterable[Booked],
    known: Mapping[str, datetime] = _ALL,
    at: datetime = FAR,
) -> tuple[list[Booked], int]:
    """The books after a rider was read with these taps, and how much had to be changed."""
    there = {tap.key for tap in taps}
    said = [it for it in of.statements if it.tap in there]
    result = assemble(taps, RULES, known, at, modes=of.modes, statements=said)
    priced = price_all(result.journeys, BOOK)
    ought = [it for it in priced if isinstance(it, Priced)]
    refused = [it.journey for it in priced if isinstance(it, Unpriced)]
    waiting = {it.tap.key for it in result.pending}
    changes = compare(ought, booked, there, waiting, refused)
    made = [*changes.replacing, *changes.new]
    after = [*changes.kept, *(_booked(it) for it in made)]
    return after, len(changes.ended) + len(made)


def _booked(it: Priced) -> Booked:
    taps = frozenset(tap.key for tap in it.journey.taps)
    return Booked(str(it.journey.key), 1, it.journey, taps, it.fare, None, it.fare.amount)


def facts(books: Iterable[Booked]) -> list[tuple[object, ...]]:
    found = []
    for it in books:
        journey, amount = it.journey, it.fare.amount
        facts = (journey.reason, journey.excuse, journey.kind, journey.late)
        found.append((journey.key, it.taps, str(amount), journey.priced_at, str(facts)))
    return sorted(found, key=str)


@settings(max_examples=examples(1000))
@given(days())
def test_books_end_the_same_however_taps_came_and_whatever_was_booked_in_between(of: Days) -> None:
    """Some taps are refused after all: sooner or later they are not there any more."""
    refused = {tap.key for tap in of.taps if of.chance.random() < 0.1}
    once, _ = read(of, [tap for tap in of.taps if tap.key not in refused], ())
    booked: list[Booked] = []
    so_far: list[Tap] = []
    for batch in batches(of):
        so_far += batch
        so_far = [tap for tap in so_far if tap.key not in refused or of.chance.random() < 0.7]
        moment = START + of.chance.randrange(14 * 1440) * MINUTE
        known = {n: START + of.chance.randrange(5 * 1440) * MINUTE for n in NETWORKS[::2]}
        booked, _ = read(of, so_far, booked, known, moment)
        assert max(Counter(key for it in booked for key in it.taps).values(), default=1) == 1
    left = [tap for tap in so_far if tap.key not in refused]
    booked, _ = read(of, left, booked)
    assert facts(booked) == facts(once)
    again, changed = read(of, left, booked)
    assert (facts(again), changed) == (facts(once), 0)
