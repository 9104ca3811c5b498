"""The fare of a bus route by its length, where an operator sets fares so.

Worked with Foshan's rule: 17 km cost 2.00, 17.1 km 3.00, 30.1 km 4.00. A route of 45 km or more
goes by the distance ridden: to 15 km 3.00, 15.1 km 4.00, 25.1 km and more 5.00.
"""

from __future__ import annotations

from transitpay.fares.terms import LengthFares
from transitpay.money import Money


def fare_by_length(fares: LengthFares, route_m: int, ridden_m: int | None = None) -> Money:
    """The fare on a route of ``route_m`` metres; ``ridden_m`` None: from one end to the other."""
    assert route_m > 0 and (ridden_m is None or 0 < ridden_m <= route_m)
    long = fares.long
    if long is None or route_m < long.from_km * 1000:
        return next(
            step.fare
            for step in fares.steps
            if step.up_to_km is None or route_m <= step.up_to_km * 1000
        )
    over_m = max(0, (ridden_m or route_m) - long.first_km * 1000)
    begun = -(-over_m // (long.each_km * 1000))
    minor = min(long.fare.minor + begun * long.more.minor, long.highest.minor)
    return Money(minor, long.fare.currency)
