"""The fare of a bus route by its length, where an operator sets fares so.

Worked with Foshan's rule: 17 km cost 2.00, 17.1 km 3.00, 30.1 km 4.00. A route of 45 km or more
goes by the distance ridden: to 15 km 3.00, 15.1 km 4.00, 25.1 km and more 5.00.
"""

from __future__ import annotations

from decimal import Decimal

from transitpay.fares.terms import LengthFares
from transitpay.money import Money


def goes_by_distance(fares: LengthFares, route_km: Decimal) -> bool:
    """Whether the distance ridden, and not the length of the route, sets the fare."""
    return fares.long is not None and route_km >= fares.long.from_km


def fare_by_length(
    fares: LengthFares, route_km: Decimal, ridden_km: Decimal | None = None
) -> Money:
    """The fare on a route of ``route_km``; ``ridden_km`` None: from one end to the other.

    Lengths are exact: 17.0001 km is over 17, and 44.9999 km is under 45.
    """
    assert route_km > 0 and (ridden_km is None or 0 < ridden_km <= route_km)
    long = fares.long
    if long is None or not goes_by_distance(fares, route_km):
        return next(
            step.fare for step in fares.steps if step.up_to_km is None or route_km <= step.up_to_km
        )
    over_km = (route_km if ridden_km is None else ridden_km) - long.first_km
    whole, rest = divmod(max(Decimal(0), over_km), long.each_km)
    begun = int(whole) + (rest > 0)
    minor = min(long.fare.minor + begun * long.more.minor, long.highest.minor)
    return Money(minor, long.fare.currency)
