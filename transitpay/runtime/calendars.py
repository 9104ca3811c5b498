"""The holiday calendars of Hong Kong and the mainland, from the packages that follow them.

Hong Kong: Sundays and the general holidays, by which bus fares and banks go. The package's default
are the statutory holidays, which lack Good Friday and the day after. Mainland: weekends and
holidays but for make-up working days, as the State Council announced them; a year that is not
announced yet is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import chinese_calendar
import holidays

from transitpay.fares.calendars import HolidayCalendar

#: The first year that the tariffs of any network reach back to.
_FIRST_YEAR = 2018
#: The last year of which the package's general holidays are announced, and not computed alone.
_LAST_YEAR_HONG_KONG = 2027
_SATURDAY = 5


def known_calendars() -> tuple[HolidayCalendar, ...]:
    """Every calendar that terms may name."""
    return (hong_kong(), mainland())


def hong_kong() -> HolidayCalendar:
    """``hong-kong``: Sundays and general holidays."""
    first, last = date(_FIRST_YEAR, 1, 1), date(_LAST_YEAR_HONG_KONG, 12, 31)
    years = range(first.year, last.year + 1)
    general = holidays.country_holidays("HK", years=years, categories=("optional",))
    days = {day: name for day, name in general.items() if first <= day <= last}
    return HolidayCalendar("hong-kong", first, last, days, sundays=True)


def mainland() -> HolidayCalendar:
    """``mainland``: days off, weekends included; the make-up working days are none."""
    first = date(_FIRST_YEAR, 1, 1)
    days: dict[date, str] = {}
    last = first
    for day in _days(first, date.max):
        try:
            off, name = chinese_calendar.get_holiday_detail(day)
        except NotImplementedError:  # the package's word for a year that is not announced yet
            break
        last = day
        if off:
            days[day] = name or ("Saturday" if day.weekday() == _SATURDAY else "Sunday")
    return HolidayCalendar("mainland", first, last, days)


def _days(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)
