"""What ``transitpay fare`` was asked, read and checked, and the journeys that it stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from decimal import Decimal

from transitpay.clock import LOCAL_ZONE, day_start, service_day, wallet_day
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.fare import Fare, FareLine, Priced
from transitpay.fares.line_texts import as_told
from transitpay.fares.route_length import fare_by_length, goes_by_distance
from transitpay.fares.rules import rules_of
from transitpay.fares.tariff import FlatFares, Stop, Tariff, TariffBook, TariffKind
from transitpay.journeys.journey import (
    Filled,
    FilledBy,
    Journey,
    boarding,
    filled,
    passage,
    section,
    without_alighting,
    without_exit,
)
from transitpay.money import Money, parse_major
from transitpay.taps import Direction, RiderRef, Tap, TapKey

WALLETS = ("alipayhk", "alipay", "shenzhen-tong", "shenzhen-tong-card")
_NOBODY = "0" * 16
#: The options that only buses have, and only stations.
_BUS = ("stage_fare", "length_km", "ridden_km", "board_at", "alight_at")
_GATES = ("business_from", "business_to")
_LENGTH_KM = re.compile(r"[0-9]{1,3}(\.[0-9]{1,9})?")
_YEAR_MINUTES = 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as they were typed; None where one was not given."""

    start: str
    end: str | None
    wallet: str
    minutes: int
    board_at: str | None
    alight_at: str | None
    stage_fare: str | None
    length_km: str | None
    ridden_km: str | None
    after: str | None
    after_minutes: int
    month_spend: str | None
    business_from: str | None
    business_to: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: the stops are found, the amounts are read.

    ``without_effect`` says in words which options no rule of the tariff reads.
    """

    asked: Asked
    tariff: Tariff
    at: datetime
    from_stop: Stop
    to_stop: Stop | None
    business: tuple[Stop, Stop] | None
    stage_fare_minor: int | None
    without_effect: tuple[str, ...] = ()


def read_question(asked: Asked, tariff: Tariff, at: datetime) -> Question:
    """Raises: MalformedInput, whose field is the option at fault."""
    if asked.wallet not in WALLETS:
        raise MalformedInput(
            "unknown_wallet", f"{asked.wallet!r} is none of {', '.join(WALLETS)}", field="--wallet"
        )
    _check_minutes(asked, tariff)
    flat = tariff.kind is TariffKind.FLAT
    for name in _GATES if flat else _BUS:
        if getattr(asked, name) is not None:
            option = f"--{name.replace('_', '-')}"
            code = "bad_stage_fare" if name == "stage_fare" else "not_of_this_network"
            word = "stations" if flat else "buses"
            raise MalformedInput(code, f"only {word} have one", field=option)
    if not flat and asked.end is None:
        raise MalformedInput("missing_stop", f"{tariff.network} needs both stations", field="--to")
    tariff = _with_route_of_length(asked, tariff)
    _check_stops(asked, tariff)
    return Question(
        asked=asked,
        tariff=tariff,
        at=at,
        from_stop=tariff.find_stop(asked.start, field="--from"),
        to_stop=None if flat or asked.end is None else tariff.find_stop(asked.end, field="--to"),
        business=_business(asked, tariff),
        stage_fare_minor=None
        if asked.stage_fare is None
        else _amount(asked.stage_fare, tariff, "--stage-fare", "bad_stage_fare"),
        without_effect=tuple(_without_effect(asked, tariff)),
    )


def journey_of(question: Question) -> Journey:
    """The journey that the question is about."""
    asked, terms = question.asked, question.tariff.terms
    leaves_at = question.at + timedelta(minutes=asked.minutes)
    if question.to_stop is not None and terms.limit_minutes is not None:
        return passage(
            _tap(question, Direction.ENTRY, question.from_stop.id, question.at, 1),
            _tap(question, Direction.EXIT, question.to_stop.id, leaves_at, 2),
            timedelta(minutes=terms.limit_minutes),
        )
    route, rules = question.from_stop, rules_of(question.tariff)
    board_at = asked.board_at or route.id
    board = _tap(question, Direction.BOARD, board_at, question.at, 1, route.id)
    waits = rules.waits(route.id)
    if asked.alight_at is not None and rules.ride_limit is not None:
        alight = _tap(question, Direction.ALIGHT, asked.alight_at, leaves_at, 2, route.id)
        return section(board, alight, waited=waits)
    if waits and rules.ride_limit is not None:
        return without_alighting(board, rules.ride_limit)
    return boarding(board)


def history_of(question: Question, book: TariffBook) -> tuple[Priced, ...]:
    """The rides before, as far as the question tells of them.

    Raises: MalformedInput (``unknown_network``, ``bad_amount``); RuleViolation
    (``no_tariff``) where the network of the ride before had none that day.
    """
    asked, found = question.asked, []
    if asked.month_spend is not None:
        unit = question.tariff
        spent = _amount(asked.month_spend, unit, "--month-spend", "bad_amount")
        found.append(_spent(question, Money(spent, unit.currency)))
    if asked.after is not None:
        if asked.after not in book.networks:
            known = ", ".join(book.networks)
            reason = f"no tariff of {asked.after!r}; known: {known}"
            raise MalformedInput("unknown_network", reason, field="--after")
        if not _gives_transfer(question.tariff, asked.after):
            return tuple(found)
        ended_at = question.at - timedelta(minutes=asked.after_minutes)
        try:
            tariff = book.tariff(asked.after, service_day(ended_at))
        except RuleViolation as error:
            raise RuleViolation(error.code, error.message, field="--after-minutes") from None
        found.append(_before(question, tariff, ended_at))
    return tuple(found)


def _gives_transfer(tariff: Tariff, after: str) -> bool:
    return any(after in transfer.after for transfer in tariff.terms.transfers)


def _without_effect(asked: Asked, tariff: Tariff) -> Iterator[str]:
    """The options that may be asked of any network and that no rule of this one reads."""
    terms, flat = tariff.terms, tariff.kind is TariffKind.FLAT
    if asked.after is not None and not _gives_transfer(tariff, asked.after):
        yield f"--after: {tariff.network} gives no transfer after a ride of {asked.after}"
    if asked.month_spend is not None and terms.month_tiers is None and not terms.caps:
        yield f"--month-spend: fares of {tariff.network} do not go by what the month has cost"
    if asked.ridden_km is not None and asked.length_km is not None:
        route_km, lengths = _kilometres(asked.length_km, "--length-km"), terms.by_length
        if lengths is None or not goes_by_distance(lengths, route_km):
            yield "--ridden-km: a route of this length costs the same for every distance"
    if flat and asked.end is not None:
        yield "--to: riders of a bus pay when they board, by the route"
    if flat and not tariff.boarding_stops:
        for stop, option in ((asked.board_at, "--board-at"), (asked.alight_at, "--alight-at")):
            if stop is not None:
                yield f"{option}: no fare of {tariff.version} depends on bus stops"


def read_instant(text: str) -> datetime:
    """The instant that was asked for, in UTC; a day alone means its noon."""
    try:
        if "T" not in text and " " not in text.strip():
            return day_start(date.fromisoformat(text.strip()), hour=12)
        at = datetime.fromisoformat(text.strip())
        if not MINYEAR < at.year < MAXYEAR:
            raise ValueError("no room for zones and stays")
    except ValueError:
        raise MalformedInput(
            "bad_time", f"{text!r} is neither a day nor an ISO time", field="--at"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=LOCAL_ZONE)).astimezone(UTC)


def _check_minutes(asked: Asked, tariff: Tariff) -> None:
    terms = tariff.terms
    longest = terms.longest_stay_minutes
    why = "a longer stay is two incomplete journeys"
    if longest is None and asked.alight_at is not None:
        longest, why = terms.ride_limit_minutes, "a later scan belongs to no boarding"
        if longest is None:
            raise MalformedInput(
                "not_of_this_network",
                f"riders of {tariff.network} do not scan when they alight",
                field="--alight-at",
            )
    if longest is not None and not 0 <= asked.minutes <= longest:
        raise MalformedInput(
            "bad_minutes", f"{asked.minutes} is not from 0 to {longest}; {why}", field="--minutes"
        )
    if not 0 <= asked.after_minutes <= _YEAR_MINUTES:
        raise MalformedInput(
            "bad_minutes",
            f"{asked.after_minutes} is not from 0 to {_YEAR_MINUTES}, a year",
            field="--after-minutes",
        )


def _check_stops(asked: Asked, tariff: Tariff) -> None:
    """A bus stop is one of those on which fares of the tariff depend."""
    for stop, option in ((asked.board_at, "--board-at"), (asked.alight_at, "--alight-at")):
        if stop is not None and tariff.boarding_stops and tariff.boarding_stop(stop) is None:
            reason = f"{stop!r} is the id of no bus stop of {tariff.network}"
            raise MalformedInput("unknown_stop", reason, field=option)


def _business(asked: Asked, tariff: Tariff) -> tuple[Stop, Stop] | None:
    if asked.business_from is None and asked.business_to is None:
        return None
    if asked.business_from is None or asked.business_to is None:
        raise MalformedInput(
            "missing_stop",
            "a part in the business car has two ends",
            field="--business-from" if asked.business_from is None else "--business-to",
        )
    return (
        tariff.find_stop(asked.business_from, field="--business-from"),
        tariff.find_stop(asked.business_to, field="--business-to"),
    )


def _with_route_of_length(asked: Asked, tariff: Tariff) -> Tariff:
    """The tariff with the fare that the length of the route gives, where one was told."""
    option = "--ridden-km" if asked.length_km is None else "--length-km"
    if asked.length_km is None and asked.ridden_km is None:
        return tariff
    if tariff.terms.by_length is None or not isinstance(tariff.fares, FlatFares):
        reason = f"fares of {tariff.network} do not go by length"
        raise MalformedInput("not_of_this_network", reason, field=option)
    if asked.length_km is None:
        reason = "what a distance costs depends on the length of the route"
        raise MalformedInput("bad_length", reason, field="--length-km")
    route_km = _kilometres(asked.length_km, "--length-km")
    ridden_km = route_km
    if asked.ridden_km is not None:
        ridden_km = _kilometres(asked.ridden_km, "--ridden-km")
        if ridden_km > route_km:
            reason = f"{asked.ridden_km} km is longer than the route"
            raise MalformedInput("bad_length", reason, field="--ridden-km")
    fare = fare_by_length(tariff.terms.by_length, route_km, ridden_km)
    route = asked.start.strip()
    stops = tuple(stop for stop in tariff.stops if stop.id != route)
    fares: Mapping[str, int] = {**tariff.fares.by_route, route: fare.minor}
    label = f"{route}, {asked.length_km} km"
    return replace(
        tariff,
        stops=(*stops, Stop(route, (label,))),
        fares=replace(tariff.fares, by_route=fares),
    )


def _kilometres(text: str, option: str) -> Decimal:
    """A length such as "17.5", exactly. Raises: MalformedInput (``bad_length``)."""
    length = Decimal(text) if _LENGTH_KM.fullmatch(text) is not None else Decimal(0)
    if not length:
        reason = f"{text[:40]!r} is no length in km, from over 0 to under 1000"
        raise MalformedInput("bad_length", reason, field=option)
    return length


def _amount(text: str, tariff: Tariff, option: str, code: str) -> int:
    try:
        minor = parse_major(text, tariff.currency).minor
    except MalformedInput as error:
        raise MalformedInput(code, error.message, field=option) from None
    if minor % tariff.terms.step_minor and not tariff.terms.tiers:
        step = Money(tariff.terms.step_minor, tariff.currency)
        raise MalformedInput(code, f"{text} is not a multiple of {step}", field=option)
    return minor


def _spent(question: Question, amount: Money) -> Priced:
    """A ride of the month before the one that is asked for: it counts, and gives no transfer."""
    first = service_day(question.at).replace(day=1)
    begins_at = min(day_start(first, hour=4), question.at)
    tap = _tap(question, Direction.ENTRY, question.from_stop.id, begins_at, -2)
    ride = filled(
        without_exit(tap, timedelta(0)), Filled(FilledBy.OPERATOR, (question.from_stop.id,))
    )
    line = FareLine(as_told("spent", "spent in the month before"), amount)
    return Priced(ride, Fare(amount, (line,), question.tariff.version))


def _before(question: Question, tariff: Tariff, ended_at: datetime) -> Priced:
    """A ride of ``tariff`` that ended then and cost nothing."""
    entry = replace(
        _tap(question, Direction.BOARD, "before", ended_at, -1),
        network=tariff.network,
        operator=tariff.operator,
    )
    ride = boarding(entry)
    if tariff.terms.limit_minutes is not None:
        limit = timedelta(minutes=tariff.terms.limit_minutes)
        enters = replace(entry, direction=Direction.ENTRY)
        leaves = replace(entry, direction=Direction.EXIT)
        ride = passage(enters, leaves, limit)
    free = Money(0, tariff.currency)
    line = FareLine(as_told("before", "the ride before"), free)
    return Priced(ride, Fare(free, (line,), tariff.version))


def _tap(
    question: Question,
    direction: Direction,
    stop: str,
    at: datetime,
    sequence: int,
    route: str | None = None,
) -> Tap:
    return Tap(
        key=TapKey(wallet_day(at), "question", sequence),
        rider=RiderRef(question.asked.wallet, _NOBODY),
        operator=question.tariff.operator,
        network=question.tariff.network,
        stop=stop,
        direction=direction,
        at=at,
        route=route,
        stage_fare_minor=question.stage_fare_minor,
    )
