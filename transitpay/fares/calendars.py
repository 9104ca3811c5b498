"""A holiday calendar: the days on which a network's holiday fares hold, as a value.

Made outside the pure part (``transitpay.runtime.calendars``) and carried by the tariff book.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

#: The names of the calendars that terms may name.
CALENDARS = frozenset({"hong-kong", "mainland"})


@dataclass(frozen=True, slots=True, eq=False)
class HolidayCalendar:
    """All holidays from ``first_day`` to ``last_day``, each with its name.

    ``sundays``: every Sunday of any year is one, and need not be among them.
    Of other days outside of the two nothing is known, which is not the same as a plain weekday.
    """

    name: str
    first_day: date
    last_day: date
    days: Mapping[date, str]
    sundays: bool = False

    def knows(self, day: date) -> bool:
        """Whether the calendar says anything about the day."""
        return self.first_day <= day <= self.last_day or self._is_sunday(day)

    def holiday(self, day: date) -> str | None:
        """The name of the holiday; None on other days. Only for days that ``knows``."""
        return self.days.get(day, "Sunday" if self._is_sunday(day) else None)

    def _is_sunday(self, day: date) -> bool:
        return self.sundays and day.weekday() == 6
