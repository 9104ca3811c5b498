"""Reads and runs scenario tables: what a rider does, and the fares line by line that follow.

A table is a text file. A rule begins with its name in brackets and the words of its source; each
row below it is one scenario: the side of the rule's edge, what happens, and what it costs.

    [mtr-limit] MTR: 150 minutes in the paid area; longer adds 66.00 in the same charge
    within | 12:00 in mtr Admiralty; 14:30 out mtr Lok_Ma_Chau    | 52.20 fare 52.20
    beyond | 12:00 in mtr Admiralty; 14:30:01 out mtr Lok_Ma_Chau | 118.20 fare 52.20 overstay 66.00

What happens, divided by ``;`` (an underscore stands for a blank):

* ``12:00[:30] in|out|board|off NETWORK PLACE[@STOP] [fare=5.00] [slot=1] [late=8d]``; ``+1`` before
  the time is the next day, ``late`` when the tap reached us; on buses the place is the route;
* ``on DAY`` the day of the times (else Monday, 5 October 2026), ``by WALLET``, ``book NAME``;
* ``daily N`` before a tap makes N of it, one a day;
* ``now [+1] 18:00``, else 40 days later; ``reported NETWORK 12:30``, ``silent NETWORK``: up to when
  its readers told everything, else up to 40 days later;
* ``mode MODE NETWORK PLACE 12:00 14:00`` a station mode, PLACE ``*`` for the network;
* ``says declared|corrected N PLACE``, ``says given_back N``: a statement on the N-th tap.

What it costs, divided by ``;``: for each journey in the order of first taps its amount and lines,
``refused CODE``, or ``*`` for whatever it may be (``*3``: for three); then ``aside REASON`` for
taps set aside, ``pending`` for taps that wait, and ``suspended WHY``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from transitpay.clock import LOCAL_ZONE, day_start
from transitpay.fares.fare import FareLine, Priced, Unpriced
from transitpay.fares.rider_pricing import price_all
from transitpay.fares.rules import rule_book
from transitpay.fares.tariff import TariffBook
from transitpay.journeys.assembly import Assembly, assemble
from transitpay.journeys.journey import Journey
from transitpay.journeys.lifecycle import JourneyReason
from transitpay.journeys.statements import Statement, StatementKind
from transitpay.journeys.station_modes import Mode, StationMode
from transitpay.journeys.suspension import suspended
from transitpay.money import CNY, parse_major
from transitpay.taps import Direction, RiderRef, Tap, TapKey

MONDAY = date(2026, 10, 5)
_RULE = re.compile(r"\[([a-z0-9-]+)\] (.+)")
_DIRECTIONS = {
    "in": Direction.ENTRY,
    "out": Direction.EXIT,
    "board": Direction.BOARD,
    "off": Direction.ALIGHT,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row: ``happens`` and ``costs`` as written, with the rule that it shows a side of."""

    rule: str
    side: str
    happens: tuple[str, ...]
    costs: tuple[str, ...]
    where: str


@dataclass(slots=True)
class _Story:
    """What one row says that happened."""

    day: date = MONDAY
    wallet: str = "alipayhk"
    book: str = "published"
    taps: list[Tap] = field(default_factory=list)
    modes: list[StationMode] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    now: datetime | None = None
    reported: dict[str, datetime | None] = field(default_factory=dict)


def read_table(path: Path) -> tuple[Mapping[str, str], list[Scenario]]:
    """The rules of a table with the words of their sources, and its scenarios."""
    rules: dict[str, str] = {}
    found: list[Scenario] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if rule := _RULE.fullmatch(line):
            assert rule[1] not in rules, f"{path.name}:{number}: {rule[1]} a second time"
            rules[rule[1]] = rule[2]
            continue
        side, happens, costs = (cell.strip() for cell in line.split("|"))
        row = read_row(list(rules)[-1], happens, f"{path.name}:{number}")
        found.append(replace(row, side=side, costs=_parts(costs)))
    return rules, found


def read_row(rule: str, happens: str, where: str) -> Scenario:
    """A scenario of which nothing is said yet but what happens."""
    return Scenario(rule, "", _parts(happens), (), where)


def run(scenario: Scenario, books: Mapping[str, TariffBook], turned: bool = False) -> list[str]:
    """What the scenario costs, as it is written; ``turned``: taps in reverse and each twice."""
    book, whole, at = _assembled(scenario, books, turned)
    journeys = whole.journeys
    told = [_cost(it) for it in price_all(reversed(journeys) if turned else journeys, book)]
    told += [f"aside {it.reason}" for it in whole.set_aside]
    told += ["pending" for _ in whole.pending]
    return told + _suspensions(journeys, book, at)


def lines_of(scenario: Scenario, books: Mapping[str, TariffBook]) -> list[FareLine]:
    """The lines of all fares of the scenario."""
    book, whole, _ = _assembled(scenario, books)
    priced = (it for it in price_all(whole.journeys, book) if isinstance(it, Priced))
    return [line for it in priced for line in it.fare.lines]


def _assembled(
    scenario: Scenario, books: Mapping[str, TariffBook], turned: bool = False
) -> tuple[TariffBook, Assembly, datetime]:
    story = _Story()
    for part in scenario.happens:
        _tell(story, part)
    taps = [replace(tap, rider=tap.rider._replace(issuer=story.wallet)) for tap in story.taps]
    book = books[story.book]
    much_later = day_start(story.day + timedelta(days=40))
    at = story.now or much_later
    known: dict[str, datetime] = dict.fromkeys(book.networks, much_later)
    for network, instant in story.reported.items():
        del known[network]
        if instant is not None:
            known[network] = instant
    whole = assemble(
        [*reversed(taps), *taps] if turned else taps,
        rule_book(book),
        known,
        at,
        modes=story.modes,
        statements=story.statements,
    )
    return book, whole, at


def _suspensions(journeys: Iterable[Journey], book: TariffBook, at: datetime) -> list[str]:
    missing: dict[str, list[datetime]] = {}
    for it in journeys:
        if it.reason is JourneyReason.MISSING_EXIT and not (it.filled or it.excuse):
            missing.setdefault(it.network, []).append(it.first_tap.at)
    found: list[str] = []
    for network, instants in missing.items():
        rules = book.latest(network).terms.suspensions
        found += [f"suspended {it.why}" for it in suspended(network, instants, rules, at)]
    return found


def matches(told: Sequence[str], costs: Sequence[str]) -> bool:
    """Whether every journey costs what is written."""
    wanted: list[str] = []
    for cost in costs:
        wanted += ["*"] * int(cost[1:] or 1) if cost.startswith("*") else [cost]
    pairs = zip(told, wanted, strict=False)
    return len(told) == len(wanted) and all(want in ("*", had) for had, want in pairs)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split(";"))


def _cost(found: Priced | Unpriced) -> str:
    if isinstance(found, Unpriced):
        return f"refused {found.code}"
    lines = (f"{line.code} {line.amount.major()}" for line in found.fare.lines)
    return f"{found.fare.amount.major()} {' '.join(lines)}"


def _tell(story: _Story, part: str) -> None:
    match part.split():
        case ["on", day]:
            story.day = date.fromisoformat(day)
        case ["by", wallet]:
            story.wallet = wallet
        case ["book", name]:
            story.book = name
        case ["mode", mode, network, place, begins, ends]:
            story.modes.append(_mode(story, mode, network, place, begins, ends))
        case ["says", kind, number, *place]:
            story.statements.append(_statement(story, kind, int(number), place))
        case ["now", *when]:
            story.now = _at(story.day + timedelta(days=int(when[-2]) if when[1:] else 0), when[-1])
        case ["reported", network, clock]:
            story.reported[network] = _at(story.day, clock)
        case ["silent", network]:
            story.reported[network] = None
        case ["daily", times, *words]:
            for later in range(int(times)):
                story.taps.append(_tap(story, [f"+{later}", *words]))
        case words:
            story.taps.append(_tap(story, words))


def _tap(story: _Story, words: list[str]) -> Tap:
    day = story.day
    if words[0].startswith("+"):
        day += timedelta(days=int(words.pop(0)))
    clock, verb, network, place, *options = words
    said = dict(option.split("=") for option in options)
    route, _, stop = _blanks(place).partition("@")
    at = _at(day, clock)
    bus = verb in ("board", "off")
    fare = said.get("fare")
    return Tap(
        key=TapKey(at.astimezone(LOCAL_ZONE).date(), f"{network}-{verb}", len(story.taps) + 1),
        rider=RiderRef("", "00000000000000a1", int(said.get("slot", "0"))),
        operator=network,
        network=network,
        stop=stop or route,
        direction=_DIRECTIONS[verb],
        at=at,
        route=route if bus else None,
        stage_fare_minor=None if fare is None else parse_major(fare, CNY).minor,
        vehicle="bus 1" if bus else None,
        received_at=at + timedelta(days=int(said.get("late", "0d").removesuffix("d"))),
    )


def _mode(
    story: _Story, mode: str, network: str, place: str, begins: str, ends: str
) -> StationMode:
    return StationMode(
        id=len(story.modes) + 1,
        operator=network,
        request_id=f"mode-{len(story.modes) + 1}",
        network=network,
        stop=None if place == "*" else _blanks(place),
        mode=Mode(mode),
        valid_from=_at(story.day, begins),
        valid_until=_at(story.day, ends),
        reason="scenario",
        replaces=None,
        recorded_by="scenario",
        recorded_at=_at(story.day, begins),
    )


def _statement(story: _Story, kind: str, number: int, place: list[str]) -> Statement:
    tap = story.taps[number - 1]
    return Statement(
        id=f"statement-{len(story.statements) + 1}",
        tap=tap.key,
        kind=StatementKind(kind),
        stop=_blanks(place[0]) if place else None,
        stated_at=tap.at + timedelta(days=1),
    )


def _at(day: date, clock: str) -> datetime:
    hour, minute, second = (*map(int, clock.split(":")), 0)[:3]
    local = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=LOCAL_ZONE)
    return local.astimezone(UTC)


def _blanks(text: str) -> str:
    return text.replace("_", " ")


def all_tables(folder: Path) -> Iterator[tuple[Mapping[str, str], list[Scenario]]]:
    """Every table of the folder."""
    return (read_table(path) for path in sorted(folder.glob("*.txt")))
