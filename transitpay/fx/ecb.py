"""Reads the ECB's euro reference rates and crosses them to yuan per Hong Kong dollar.

Two forms are read: the history (ISO dates, "N/A" where there is no rate, a comma at the end of
each line) and the single day (a blank after each comma, dates like "30 October 2026").

Source: European Central Bank, euro foreign exchange reference rates; units of a currency for
1 EUR, for information, published about 16:00 Central European time of the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from transitpay.errors import MalformedInput
from transitpay.fx.rate import Observation, parse_rate, quantise
from transitpay.money import CNY, CONTEXT, HKD

SOURCE = "ecb"
_FRANKFURT = ZoneInfo("Europe/Berlin")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class DailyCross:
    """Yuan for 1 Hong Kong dollar on ``day``: the CNY column / the HKD column, 10 decimals.

    Worked: 2026-10-30 has CNY 7.4326 and HKD 8.7652, so 0.8479669603.
    """

    day: date
    cny_per_hkd: Decimal

    def observation(self, fetched_at: datetime) -> Observation:
        """As a guard's candidate or anchor, observed at 16:00 Frankfurt time of its day."""
        at = datetime(self.day.year, self.day.month, self.day.day, 16, tzinfo=_FRANKFURT)
        return Observation(HKD, CNY, self.cny_per_hkd, SOURCE, at.astimezone(UTC), fetched_at)


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong with one line of the file; the first line is 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class EcbHistory:
    """The crosses in order of day, and every problem of the text by line.

    ``missing`` counts days that carry "N/A" for either currency: these are no problem.
    """

    crosses: tuple[DailyCross, ...]
    missing: int
    problems: tuple[LineProblem, ...]


def parse_history(text: str) -> EcbHistory:
    """The daily crosses of an ECB text; a line with a problem gives no cross.

    A day that is given twice is a problem at its second line, and so is a day that repeats every
    figure of the line next to it: that is yesterday's file under today's date.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    header = _cells(lines[0]) if lines else []
    if not header or header[0] != "Date" or not {"CNY", "HKD"} <= set(header):
        wrong = LineProblem(1, "the header does not begin with Date or lacks CNY or HKD")
        return EcbHistory((), 0, (wrong,))
    cny, hkd = header.index("CNY"), header.index("HKD")
    crosses: dict[date, DailyCross] = {}
    problems: list[LineProblem] = []
    missing = 0
    previous: list[str] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = _cells(line)
        if not any(cells):
            continue
        try:
            if len(cells) != len(header):
                raise MalformedInput(
                    "bad_line", f"has {len(cells)} columns, the header {len(header)}"
                )
            if cells[1:] == previous:
                raise MalformedInput("bad_line", "repeats every figure of the line before")
            cross = _cross(cells[0], cells[cny], cells[hkd])
            if cross is None:
                missing += 1
            elif cross.day in crosses:
                raise MalformedInput("bad_line", f"{cross.day} is given twice")
            else:
                crosses[cross.day] = cross
        except MalformedInput as problem:
            problems.append(LineProblem(number, str(problem)))
        previous = cells[1:]
    return EcbHistory(tuple(crosses[day] for day in sorted(crosses)), missing, tuple(problems))


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split(",")]
    return cells[:-1] if cells and not cells[-1] else cells


def _cross(day_text: str, cny_text: str, hkd_text: str) -> DailyCross | None:
    day = _day(day_text)
    if "N/A" in (cny_text, hkd_text):
        return None
    cny, hkd = parse_rate(cny_text, field="CNY"), parse_rate(hkd_text, field="HKD")
    if cny <= 0 or hkd <= 0:
        raise MalformedInput("bad_rate", "a rate is not above zero")
    return DailyCross(day, quantise(CONTEXT.divide(cny, hkd)))


def _day(text: str) -> date:
    """An ISO day, or the single-day file's "30 October 2026"."""
    parts = text.split(" ")
    try:
        if len(parts) == 3:
            return date(int(parts[2]), _MONTHS.index(parts[1]) + 1, int(parts[0]))
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedInput("bad_date", f"{text[:40]!r} is not a day", field="Date") from None
