"""The rate log has a row for every minute, in order, ahead of time; what was missed is a gap."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from transitpay.fx.publication import next_rows
from transitpay.fx.rate import NotYet, Observation, PublishedRate, rate_at
from transitpay.money import CNY, HKD

NOON = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def seen(mid: str, when: datetime, source: str = "a") -> Observation:
    return Observation(HKD, CNY, Decimal(mid), source, when, when)


def told(rows: list[PublishedRate]) -> list[tuple[int, str | None]]:
    """(minutes after noon, rate) of the forward pair."""
    return [
        ((r.effective_at - NOON) // timedelta(minutes=1), None if r.rate is None else str(r.rate))
        for r in rows
        if r.base == HKD
    ]


def test_rows_are_aimed_at_least_the_lead_ahead() -> None:
    feed = [seen("0.9150", NOON)]
    assert told(next_rows(NOON, feed, at(25))) == [(1, "0.9150000000")]
    assert told(next_rows(NOON, feed, at(30))) == [(1, "0.9150000000")]
    assert told(next_rows(at(60), feed, at(31))) == [(2, "0.9150000000")]
    assert next_rows(at(60), feed, at(25)) == []


def test_called_again_with_what_it_made_it_makes_nothing() -> None:
    rows = next_rows(NOON, [seen("0.9150", NOON)], at(31))
    assert next_rows(rows[-1].effective_at, [seen("0.9150", NOON)], at(31)) == []


def test_missed_minutes_are_gaps_and_the_rate_takes_effect_later() -> None:
    rows = next_rows(NOON, [seen("0.9150", at(200))], at(236))
    assert told(rows) == [(1, None), (2, None), (3, None), (4, None), (5, "0.9150000000")]
    assert told(next_rows(NOON, [seen("0.9150", at(200))], at(235)))[3] == (4, "0.9150000000")


def test_without_a_fresh_rate_the_row_is_a_gap() -> None:
    assert told(next_rows(NOON, [], at(10))) == [(1, None)]
    old = seen("0.9150", at(-591))
    assert told(next_rows(NOON, [old], at(10))) == [(1, None)]
    assert told(next_rows(NOON, [seen("0.9150", at(-590))], at(10))) == [(1, "0.9150000000")]


def test_the_newest_observation_counts_and_the_inverse_is_computed_once() -> None:
    feed = [seen("0.9150", at(5)), seen("0.9200", at(8), "b"), seen("0.9100", at(2))]
    forward, back = next_rows(NOON, feed, at(10))
    assert (forward.base, forward.rate, forward.source) == (HKD, Decimal("0.9200"), "b")
    assert (back.base, back.rate) == (CNY, Decimal("1.0869565217"))
    assert forward.effective_at == back.effective_at == at(60)


def test_an_empty_log_begins_at_the_first_minute_that_can_be_met() -> None:
    assert told(next_rows(None, [seen("0.9150", NOON)], at(10))) == [(1, "0.9150000000")]


def test_a_long_silence_is_caught_up_in_bounded_steps() -> None:
    rows = next_rows(NOON, [], at(86_400 * 3), limit_minutes=100)
    assert told(rows) == [(m, None) for m in range(1, 101)]


@given(st.lists(st.integers(1, 400), min_size=1, max_size=15))
def test_whenever_it_runs_no_minute_is_skipped_or_doubled_and_no_rate_is_late(
    pauses: list[int],
) -> None:
    now, last, log = 0, NOON, []
    for pause in pauses:
        now += pause
        rows = next_rows(last, [seen("0.9150", at(now))], at(now))
        log += rows
        last = rows[-1].effective_at if rows else last
        assert last >= at(now + 30)
    minutes = [r.effective_at for r in log if r.base == HKD]
    assert minutes == [at(60 * (m + 1)) for m in range(len(minutes))]
    assert all(r.effective_at > r.published_at for r in log if r.rate is not None)


def test_an_exit_is_priced_only_when_a_later_row_is_known() -> None:
    rows = next_rows(NOON, [seen("0.9150", NOON)], at(80))
    forward = [r for r in rows if r.base == HKD]
    assert [r.effective_at for r in forward] == [at(60), at(120)]
    assert rate_at(forward, at(120)) == NotYet(at(120))
    assert rate_at(forward, at(119)) == forward[0]
    assert rate_at(forward, at(60)) == forward[0]
    assert rate_at(forward, at(59)) is None
    assert rate_at([], at(59)) == NotYet(at(59))
