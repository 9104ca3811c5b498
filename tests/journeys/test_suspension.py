"""More than three missing exits in 30 days suspend, more than ten in a year are evasion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from transitpay.journeys.suspension import Suspended, Suspension, Why, suspended

AT = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
#: Source: Shenzhen Metro's notice of 2018 as quoted on a web page.
THREE = Suspension(3, 30, False, "notice of 2018")
TEN = Suspension(10, 365, True, "notice of 2018")
RULES = (THREE, TEN)


def ago(*days: int) -> list[datetime]:
    return [AT - timedelta(days=n) for n in days]


def why(missing: list[datetime], at: datetime = AT, **more: datetime) -> list[Why]:
    return [it.why for it in suspended("shenzhen-metro", missing, RULES, at, **more)]


@pytest.mark.parametrize(("missing", "expected"), [(3, []), (4, [Why.MISSING_EXITS])])
def test_the_fourth_missing_exit_in_30_days_suspends(missing: int, expected: list[Why]) -> None:
    assert why(ago(*range(1, missing + 1))) == expected


def test_a_suspension_says_since_and_until_when() -> None:
    missing = ago(20, 10, 9, 8, 2)
    assert suspended("shenzhen-metro", missing, (THREE,), AT) == (
        Suspended(
            "shenzhen-metro", Why.MISSING_EXITS, 5, 3, 30,
            AT - timedelta(days=8), AT - timedelta(days=10) + timedelta(days=30),
        ),
    )  # fmt: skip


def test_an_exit_counts_until_it_is_30_days_old() -> None:
    missing = ago(30, 3, 2, 1)
    assert why(missing, AT - SECOND) == [Why.MISSING_EXITS]
    assert why(missing, AT) == []


def test_a_suspension_is_over_at_the_instant_that_it_told() -> None:
    missing = ago(20, 10, 9, 8, 2)
    [told] = suspended("shenzhen-metro", missing, RULES, AT)
    assert told.until is not None
    assert why(missing, told.until - SECOND) == [Why.MISSING_EXITS]
    assert why(missing, told.until) == []


@pytest.mark.parametrize(("missing", "expected"), [(10, []), (11, [Why.EVASION])])
def test_the_eleventh_missing_exit_in_a_year_is_evasion(missing: int, expected: list[Why]) -> None:
    spread = ago(*range(31, 31 + 30 * missing, 30))
    assert why(spread) == expected
    assert all(it.until is None for it in suspended("shenzhen-metro", spread, RULES, AT))


def test_what_a_person_forgave_does_not_count_again() -> None:
    missing = ago(*range(1, 12))
    assert why(missing) == [Why.MISSING_EXITS, Why.EVASION]
    assert why(missing, forgiven=AT) == []
    assert why(missing, forgiven=AT - timedelta(days=5)) == [Why.MISSING_EXITS]
    assert why(missing, forgiven=AT - timedelta(days=4)) == []


def test_what_is_still_to_come_does_not_count() -> None:
    assert why([AT + SECOND, *ago(3, 2, 1)]) == []
    assert why([AT, *ago(3, 2, 1)]) == [Why.MISSING_EXITS]


def test_a_network_without_rules_suspends_nobody() -> None:
    assert suspended("mtr", ago(*range(1, 30)), (), AT) == ()
