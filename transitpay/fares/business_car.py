"""What a ride in the business car costs: the whole path, and more for the part ridden in the car.

Readers refuse ride codes there; the price is known because cards and tickets pay it.

Whether the part lies on the path is judged by fares alone, for no file says which way a rider
takes: a part that the fares allow and the rails do not is priced.
"""

from __future__ import annotations

from datetime import timedelta

from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares import line_texts
from transitpay.fares.fare import Fare, FareLine, total
from transitpay.fares.tariff import Stop, Tariff
from transitpay.money import Money

_UNEVEN_MINOR = 100


def price_business_car(
    path: tuple[Stop, Stop], part: tuple[Stop, Stop], stay: timedelta, tariff: Tariff
) -> Fare:
    """The fare of a ride along ``path`` whose ``part`` was ridden in the business car.

    What a longer stay than the limit adds there is not published: a line of 0 says so.

    Raises: RuleViolation (``no_business_car``) where the network has none, (``no_fare``);
    MalformedInput (``not_on_business_line``, ``not_priceable``, ``part_off_path``) where it does
    not call, nobody rides, or the part is not on the path.
    """
    car = tariff.terms.business_car
    if car is None:
        raise RuleViolation(
            "no_business_car", f"{tariff.network} has no business car", field="business_from"
        )
    for stop, field in zip(part, ("business_from", "business_to"), strict=True):
        if stop.id not in car.stops:
            reason = f"the business car does not call at {stop.label}"
            raise MalformedInput("not_on_business_line", reason, field=field)
    if path[0].id == path[1].id or part[0].id == part[1].id:
        raise MalformedInput("not_priceable", "a ride has two different ends", field="to")
    if not _is_on_path(path, part, tariff):
        reason = f"by their fares {part[0].label} to {part[1].label} is no part of"
        raise MalformedInput(
            "part_off_path", f"{reason} {path[0].label} to {path[1].label}", field="business_from"
        )
    lines = business_car_lines(path, part, tariff)
    limit = tariff.terms.limit_minutes
    if limit is not None and stay > timedelta(minutes=limit):
        nothing = Money(0, tariff.currency)
        lines.append(FareLine(line_texts.OVERSTAY_UNKNOWN, nothing, (limit,)))
    return Fare(total(lines), tuple(lines), tariff.version)


def _is_on_path(path: tuple[Stop, Stop], part: tuple[Stop, Stop], tariff: Tariff) -> bool:
    """Whether fares grow as they do along one way: enter, take the car, leave it, leave.

    They may be uneven by 1.00: 后亭 to 华强南 costs 10.00, from 松岗, one station farther, 9.00.
    """

    def minor(start: Stop, end: Stop) -> int:
        return 0 if start.id == end.id else tariff.plain_fare(start, end).minor

    whole = minor(*path)
    before, after = minor(path[0], part[0]), minor(part[1], path[1])
    until, since = minor(path[0], part[1]), minor(part[0], path[1])
    grows = ((minor(*part), whole), (before, until), (until, whole), (after, since), (since, whole))
    return all(less <= more + _UNEVEN_MINOR for less, more in grows)


def business_car_lines(
    path: tuple[Stop, Stop], part: tuple[Stop, Stop], tariff: Tariff
) -> list[FareLine]:
    """The lines of a ride along ``path`` whose ``part`` was ridden in the business car.

    Undiscounted. Worked: a path of 8.00 ridden in the car from end to end is 8.00 + 2 x 8.00 =
    24.00; one of 10.00 with 9.00 of it in the car is 28.00.
    """
    car = tariff.terms.business_car
    assert car is not None, f"{tariff.network} has a business car"
    assert all(stop.id in car.stops for stop in part), "the car calls at both ends of the part"
    whole, ridden = tariff.plain_fare(*path), tariff.plain_fare(*part)
    more = Money(car.times * ridden.minor, ridden.currency)
    values = (*part, car.times, ridden)
    return [
        FareLine(line_texts.FARE_OF_PAIR, whole, path),
        FareLine(line_texts.BUSINESS_CAR, more, values, car.source),
    ]
