"""The guard lets true rates pass, a jump included, and never an inverse or another unit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from transitpay.errors import MalformedInput
from transitpay.fx.guard import GuardPolicy, Passed, Refusal, Refused, check
from transitpay.fx.rate import Observation, parse_rate
from transitpay.money import CNY, HKD

T0 = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)
HISTORY = [Decimal("0.9150")] * 5


def seen(mid: str, source: str = "a", after_s: int = 0) -> Observation:
    at = T0 + timedelta(seconds=after_s)
    return Observation(HKD, CNY, Decimal(mid), source, at, at)


def reason(result: Passed | Refused) -> Refusal | None:
    return result.reason if isinstance(result, Refused) else None


@pytest.mark.parametrize(
    ("mid", "why"),
    [
        ("NaN", Refusal.NOT_A_NUMBER),
        ("Infinity", Refusal.NOT_A_NUMBER),
        ("0", Refusal.ZERO),
        ("-0.9150", Refusal.NEGATIVE),
        ("91.50", Refusal.OTHER_UNIT),
        ("0.00915", Refusal.OTHER_UNIT),
        ("1.0928961749", Refusal.INVERSE),
        ("0.919576", Refusal.OUTLIER),
        ("0.910424", Refusal.OUTLIER),
        ("0.919575", None),
        ("0.910425", None),
        ("0.9150", None),
    ],
)
def test_each_refusal_has_its_reason_and_the_band_its_edge(mid: str, why: Refusal | None) -> None:
    assert reason(check(seen(mid), HISTORY, [], T0)) == why


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(0, None), (600, None), (601, Refusal.STALE), (-5, None), (-6, Refusal.FUTURE)],
)
def test_a_rate_is_neither_from_the_future_nor_stale(seconds: int, why: Refusal | None) -> None:
    assert reason(check(seen("0.9150"), HISTORY, [], T0 + timedelta(seconds=seconds))) == why


def test_a_source_has_its_own_cadence() -> None:
    slow = GuardPolicy(max_age={"ecb": timedelta(days=4)})
    at = T0 + timedelta(days=4)
    assert check(seen("0.9150", "ecb"), HISTORY, [], at, slow) == Passed()
    late = check(seen("0.9150", "ecb"), HISTORY, [], at + timedelta(seconds=1), slow)
    assert reason(late) is Refusal.STALE


def follow(mids: list[tuple[str, str]]) -> list[Passed | Refused]:
    """Feed one observation a minute through the guard; what passes becomes history."""
    history = list(HISTORY)
    fresh: list[Observation] = []
    results: list[Passed | Refused] = []
    for minute, (source, mid) in enumerate(mids):
        observed = seen(mid, source, 60 * minute)
        result = check(observed, history, fresh, observed.observed_at)
        if isinstance(result, Passed):
            history.append(observed.mid)
        fresh.append(observed)
        results.append(result)
    return results


def test_a_true_move_of_three_per_cent_passes_at_the_third_observation() -> None:
    results = follow([("a", "0.94245"), ("b", "0.94250"), ("a", "0.94244")])
    assert [reason(r) for r in results] == [Refusal.OUTLIER, Refusal.OUTLIER, None]
    assert results[-1] == Passed(by_persistence=True)


def test_one_source_alone_never_proves_a_jump() -> None:
    assert {reason(r) for r in follow([("a", "0.94245")] * 10)} == {Refusal.OUTLIER}


def test_sources_that_disagree_never_prove_a_jump() -> None:
    results = follow([("a", "0.9424"), ("b", "0.9600"), ("a", "0.9424"), ("b", "0.9600")])
    assert {reason(r) for r in results} == {Refusal.OUTLIER}


@pytest.mark.parametrize(
    ("mid", "why"), [("91.50", Refusal.OTHER_UNIT), ("1.0929", Refusal.INVERSE)]
)
def test_no_repetition_makes_another_unit_or_an_inverse_pass(mid: str, why: Refusal) -> None:
    results = follow([("ab"[i % 2], mid) for i in range(20)])
    assert {reason(r) for r in results} == {why}


def test_the_very_first_rate_stands_by_the_daily_reference_only() -> None:
    anchor = Decimal("0.9149")
    assert reason(check(seen("0.9150"), [], [], T0)) is Refusal.NO_REFERENCE
    assert check(seen("0.9150"), [], [], T0, anchor=anchor) == Passed()
    assert reason(check(seen("91.5"), [], [], T0, anchor=anchor)) is Refusal.OTHER_UNIT
    assert reason(check(seen("1.0929"), [], [], T0, anchor=anchor)) is Refusal.INVERSE
    assert reason(check(seen("1.2"), [], [], T0, anchor=anchor)) is Refusal.OUTLIER


def test_one_other_fresh_source_is_enough_to_judge_the_first_rate() -> None:
    assert check(seen("0.9150", "b", 1), [], [seen("0.9152")], T0) == Passed()


@pytest.mark.parametrize("text", ["", "1,234.5", "NaN", "<html>", " 0.9", "1e3", "+1", ".5", "٣"])
def test_text_that_is_no_plain_decimal_is_not_a_rate(text: str) -> None:
    with pytest.raises(MalformedInput, match="plain decimal"):
        parse_rate(text)


def test_a_rate_has_ten_decimals_half_even() -> None:
    assert parse_rate("0.91500000005") == Decimal("0.9150000000")
    assert parse_rate("0.91500000015") == Decimal("0.9150000002")
