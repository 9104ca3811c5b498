"""What a ride in the business car costs: the whole path, and more for the part ridden in the car.

Readers refuse ride codes there; the price is known because cards and tickets pay it.
"""

from __future__ import annotations

from transitpay.errors import MalformedInput, RuleViolation
from transitpay.fares.fare import Fare, FareLine, total
from transitpay.fares.tariff import Stop, Tariff
from transitpay.money import Money


def price_business_car(path: tuple[Stop, Stop], part: tuple[Stop, Stop], tariff: Tariff) -> Fare:
    """The fare of a ride along ``path`` whose ``part`` was ridden in the business car.

    Raises: RuleViolation (``no_business_car``) where the network has none; MalformedInput
    (``not_on_business_line``, ``not_priceable``) where it does not call, or nobody rides.
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
    lines = business_car_lines(path, part, tariff)
    return Fare(total(lines), tuple(lines), tariff.version)


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
    between = f"{part[0].label} to {part[1].label}"
    return [
        FareLine("fare", f"{path[0].label} to {path[1].label}, adult", whole),
        FareLine(
            "business_car", f"business car {between}: {car.times} x {ridden}, {car.source}", more
        ),
    ]
