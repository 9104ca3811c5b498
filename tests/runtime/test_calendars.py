"""Holidays are the days that fares go by: general holidays in Hong Kong, announced days off."""

from __future__ import annotations

from datetime import date

import pytest

from transitpay.fares.calendars import HolidayCalendar
from transitpay.runtime.calendars import hong_kong, known_calendars, mainland

HONG_KONG, MAINLAND = hong_kong(), mainland()


@pytest.mark.parametrize(
    "day",
    [
        date(2025, 4, 18),  # Good Friday, no statutory holiday
        date(2026, 4, 3),
        date(2026, 4, 4),
        date(2027, 3, 26),
        date(2026, 10, 1),
        date(2026, 11, 1),  # a Sunday
    ],
)
def test_good_friday_and_sundays_are_holidays_in_hong_kong(day: date) -> None:
    assert HONG_KONG.knows(day) and HONG_KONG.holiday(day)


@pytest.mark.parametrize("day", [date(2026, 4, 2), date(2026, 10, 31), date(2026, 12, 24)])
def test_other_days_are_none_in_hong_kong(day: date) -> None:
    assert HONG_KONG.knows(day) and HONG_KONG.holiday(day) is None


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026, 2027])
def test_hong_kong_has_17_general_holidays_a_year_beside_its_sundays(year: int) -> None:
    named = [name for day, name in HONG_KONG.days.items() if day.year == year]
    assert len(named) == 17


def test_a_make_up_working_day_of_the_mainland_is_no_holiday() -> None:
    assert MAINLAND.holiday(date(2026, 10, 1)) == "National Day"
    assert MAINLAND.holiday(date(2026, 10, 11)) == "Sunday"
    assert date(2026, 10, 10).weekday() == 5 and MAINLAND.holiday(date(2026, 10, 10)) is None


@pytest.mark.parametrize(
    ("calendar", "last"), [(HONG_KONG, date(2027, 12, 31)), (MAINLAND, date(2026, 12, 31))]
)
def test_a_year_that_is_not_announced_is_not_known(calendar: HolidayCalendar, last: date) -> None:
    assert calendar.last_day == last
    assert not calendar.knows(date(last.year + 1, 1, 1))
    assert not calendar.knows(date(2017, 12, 30))


@pytest.mark.parametrize("day", [date(2017, 12, 31), date(2028, 1, 2), date(2040, 1, 1)])
def test_a_sunday_needs_no_announcement_in_hong_kong(day: date) -> None:
    assert HONG_KONG.knows(day) and HONG_KONG.holiday(day) == "Sunday"
    assert not MAINLAND.knows(day), "which may have to be worked"


def test_both_calendars_have_the_names_that_terms_use() -> None:
    assert [calendar.name for calendar in known_calendars()] == ["hong-kong", "mainland"]
