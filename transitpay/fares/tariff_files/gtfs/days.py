"""On which days a time frame of a feed holds, as far as our tariffs tell days apart."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from transitpay.fares.tariff_files.gtfs.feed import WEEKDAYS, Feed

_MIDNIGHT = ("", "0:00:00", "00:00:00")
_END = ("", "24:00:00")


class Days(StrEnum):
    """The days of a fare: a tariff has fares of plain days and of Sundays and holidays."""

    ALL = "all days"
    PLAIN = "plain days"
    HOLIDAYS = "Sundays and holidays"


def days_of(feed: Feed) -> Mapping[str, Days | str]:
    """Time frame group -> its days, or why a tariff cannot say them.

    Days that calendar_dates.txt adds or removes are taken to be the holidays.
    """
    services = {
        row["service_id"]: frozenset(day for day in WEEKDAYS if row[day] == "1")
        for row in feed["calendar.txt"]
    }
    found: dict[str, Days | str] = {}
    on: dict[str, frozenset[str]] = {}
    for row in feed["timeframes.txt"]:
        group, service = row["timeframe_group_id"], row["service_id"]
        if row["start_time"] not in _MIDNIGHT or row["end_time"] not in _END:
            hours = f"{row['start_time']} to {row['end_time']}"
            found[group] = f"fares by time of day ({hours})"
        elif service not in services:
            found[group] = f"days of service {service!r}, which calendar.txt does not know"
        on[group] = on.get(group, frozenset()) | services.get(service, frozenset())
    for group, days in on.items():
        found.setdefault(group, _days(days))
    return found


def _days(days: frozenset[str]) -> Days | str:
    if len(days) == len(WEEKDAYS):
        return Days.ALL
    if days == {"sunday"}:
        return Days.HOLIDAYS
    if days == set(WEEKDAYS) - {"sunday"}:
        return Days.PLAIN
    return f"days that are neither all, nor Sundays, nor all others ({', '.join(sorted(days))})"
