"""What the business car of Shenzhen's Line 11 can have cost a card that left at a station.

Pure. A row names the exit alone. So this shows that its value is a fare of the business car from
another station of the line, and not from which one: such rows are inferred. Rides with a change
are left out, for with one nearly every value could be explained.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from transitpay.errors import MalformedInput
from transitpay.fares.business_car import business_car_lines
from transitpay.fares.fare import total
from transitpay.fares.tariff import Tariff


def business_fares(metro: Tariff) -> Callable[[str], frozenset[int]]:
    """The fares to a station by its name, in minor units; none where the car does not call."""
    car = metro.terms.business_car
    calls = frozenset[str]() if car is None else car.stops
    line = [stop for stop in metro.stops if stop.id in calls]

    @cache
    def fares(place: str) -> frozenset[int]:
        try:
            to_stop = metro.find_stop(place)
        except MalformedInput:
            return frozenset()
        rides = [(stop, to_stop) for stop in line if to_stop.id in calls and stop != to_stop]
        return frozenset(total(business_car_lines(it, it, metro)).minor for it in rides)

    return fares
