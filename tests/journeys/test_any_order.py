"""The same taps give the same journeys and fares, however they come; and each tap is used once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from luck import examples
from random_days import BOOK, FAR, MINUTE, NETWORKS, RULES, START, Days, batches, days

from transitpay.fares.fare import Priced, Unpriced
from transitpay.fares.rider_pricing import price_all
from transitpay.journeys.assembly import Assembly, assemble
from transitpay.journeys.journey import Journey
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.taps import Tap, TapKey

_WAITED_FOR = (
    JourneyReason.MISSING_EXIT,
    JourneyReason.MISSING_ENTRY,
    JourneyReason.NO_ALIGHTING,
)
_ALL = dict.fromkeys(NETWORKS, FAR)


def assembled(
    of: Days, taps: Iterable[Tap], known: Mapping[str, datetime] = _ALL, at: datetime = FAR
) -> Assembly:
    found = assemble(taps, RULES, known, at, modes=of.modes, statements=of.statements)
    return found


def each_tap_once(result: Assembly, taps: Iterable[Tap]) -> None:
    used = [tap.key for journey in result.journeys for tap in journey.taps]
    used += [waiting.tap.key for waiting in result.pending]
    used += [aside.tap.key for aside in result.set_aside]
    assert Counter(used) == Counter({tap.key for tap in taps})


def nobody_is_joined(journeys: Iterable[Journey]) -> None:
    for journey in journeys:
        windows = {RULES.on(tap.network, START.date()).late_window for tap in journey.taps}  # type: ignore[union-attr]  # all have rules
        late = {tap.received_at - tap.at > max(windows) for tap in journey.taps if tap.received_at}
        assert len({(tap.rider, tap.network) for tap in journey.taps}) == 1
        assert late == {journey.late}


@settings(max_examples=examples(2000))
@given(days())
def test_every_order_cut_and_duplication_gives_the_same_journeys_and_fares(of: Days) -> None:
    once = assembled(of, of.taps)
    assert once.pending == (), "nothing waits for ever"
    assert assembled(of, of.taps, {}) == once, "nor where nobody reports"
    each_tap_once(once, of.taps)
    nobody_is_joined(once.journeys)
    fares = price_all(once.journeys, BOOK)
    assert not [it for it in fares if isinstance(it, Unpriced)]
    so_far: list[Tap] = []
    for batch in batches(of):
        so_far += batch
        moment = START + of.chance.randrange(14 * 1440) * MINUTE
        known = {n: START + of.chance.randrange(5 * 1440) * MINUTE for n in NETWORKS[::2]}
        step = assembled(of, so_far, known, moment)
        each_tap_once(step, so_far)
        nobody_is_joined(step.journeys)
    last = assembled(of, so_far)
    assert last == once
    mixed = list(last.journeys)
    of.chance.shuffle(mixed)
    assert price_all(mixed, BOOK) == fares


@settings(max_examples=examples(2000))
@given(days(late=False))
def test_what_was_closed_after_honest_reports_is_never_contradicted(of: Days) -> None:
    """As long as readers say truly what they hold, and hold it for less than the longest wait.

    A journey that was closed as incomplete stands, a forgotten alighting too; a bus ride that stays
    what it is keeps the fare that it got when no transfer could come any more. A second tap of what
    is known already may still come. Nobody says anything: that may change what was closed.
    """
    of = replace(of, statements=())
    once = assembled(of, of.taps)
    final = {journey.key: journey for journey in once.journeys}
    fares = _by_key(price_all(once.journeys, BOOK))
    arrivals = sorted(tap.received_at for tap in of.taps if tap.received_at)
    for now in (*arrivals, *(START + of.chance.randrange(6000) * MINUTE for _ in range(3))):
        there = [tap for tap in of.taps if tap.received_at and tap.received_at <= now]
        result = assembled(of, there, _reported(of.taps, now), now)
        got = _by_key(price_all(result.journeys, BOOK))
        for journey in result.journeys:
            stands = journey.key in final and _facts(journey) == _facts(final[journey.key])
            assert stands or journey.reason not in _WAITED_FOR
            if stands and journey.network == "shenzhen-bus":
                assert got[journey.key] == fares[journey.key]


def _reported(taps: Sequence[Tap], now: datetime) -> dict[str, datetime]:
    """How far each network is known: up to the first tap that is still on its way."""
    known = dict.fromkeys(NETWORKS, now)
    for tap in taps:
        if tap.at <= now and tap.received_at is not None and tap.received_at > now:
            known[tap.network] = min(known[tap.network], tap.at - timedelta(seconds=1))
    return known


def _facts(journey: Journey) -> object:
    ends = (journey.entry, journey.exit, journey.filled, journey.excuse)
    return (journey.state, journey.reason, journey.priced_at, ends)


def _by_key(priced: Iterable[Priced | Unpriced]) -> dict[TapKey, int]:
    return {it.journey.key: it.fare.amount.minor if isinstance(it, Priced) else -1 for it in priced}
