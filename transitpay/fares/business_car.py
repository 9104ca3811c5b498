"""What a ride in the business car costs: the whole path, and more for the part ridden in the car.

Readers refuse ride codes there; the price is known because cards and tickets pay it.
"""

from __future__ import annotations

from transitpay.fares.fare import FareLine
from transitpay.fares.tariff import Stop, Tariff
from transitpay.money import Money


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
