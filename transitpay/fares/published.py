"""What operators publish in prose and no fare file holds: limits, same-station rules, discounts.

Grades of the sources: A operator or government, B press, C weak web page, D shown by data. Amounts
that follow from a fare file (the lowest, the highest fare) are parameters and move with its
version.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from transitpay.fares.terms import (
    CodeDiscount,
    Overstay,
    OverstayMode,
    SameStation,
    Terms,
    Tier,
)
from transitpay.money import CNY, HKD, Money

#: The first service day on which recorded taps confirm the fares of Shenzhen (grade D).
SHENZHEN_SINCE = date(2018, 8, 31)

#: The adult fares of the MTR file of July 2024 have been in force since this day.
MTR_ADULT_FARES_SINCE = date(2024, 6, 30)

#: Generation day of the route and fare file of the Transport Department that is built in.
HK_BUS_SINCE = date(2026, 3, 31)

#: Lo Wu and Lok Ma Chau: leaving where one entered costs the lowest fare from there.
MTR_BORDER_STATIONS = ("76", "78")

#: Central - Hong Kong and Tsim Sha Tsui - East Tsim Sha Tsui: walking links, published at 0.00.
MTR_WALKS = frozenset({frozenset({"1", "39"}), frozenset({"3", "80"})})


def mtr_terms(
    *, lowest: Money, highest: Money, surcharge: Money, border: Iterable[tuple[str, Money]]
) -> Terms:
    """The conditions of MTR heavy rail.

    ``lowest`` and ``highest`` are adult Octopus fares of the version, ``surcharge`` its highest
    adult single journey ticket, ``border`` the lowest adult Octopus fare from each border station.

    Source: MTR conditions of issue of tickets as quoted 2010-2016 (A); the surcharge in one charge
    with the fare: press, 118.20 = 52.20 + 66.00 (B). Our reading: the maximum fare for a missing
    tap is the highest adult Octopus fare, and a stay over 300 minutes is two incomplete journeys.
    """
    return Terms(
        step_minor=10,
        limit_minutes=150,
        longest_stay_minutes=300,
        overstay=Overstay(
            OverstayMode.ADD, surcharge, "surcharge of the highest adult single fare (grade A, B)"
        ),
        maximum_fare=highest,
        same_station=(
            SameStation(20, lowest, "same station within 20 minutes: the lowest fare"),
            SameStation(None, Money(1000, HKD), "same station after more than 20 minutes"),
        ),
        same_station_at=tuple(border),
        walks=MTR_WALKS,
    )


def shenzhen_metro_terms(*, lowest: Money, highest: Money) -> Terms:
    """The conditions of Shenzhen Metro, ordinary cars.

    Source: 210 minutes (A), longer: the highest single fare (B), read by us as the fare raised to
    it; same station: the lowest fare (C). Code discount: 95 % in a notice of 2018 (A), none in a
    page of 2022 (B). Our reading: the maximum fare for a missing tap is the highest single fare,
    and a stay over 420 minutes is two incomplete journeys.
    """
    source = "notice of 2018 (grade A); none from 2022 (grade B)"
    return Terms(
        step_minor=1,
        limit_minutes=210,
        longest_stay_minutes=420,
        overstay=Overstay(OverstayMode.RAISE_TO, highest, "the highest single fare (grade B)"),
        maximum_fare=highest,
        same_station=(SameStation(None, lowest, "same station in and out"),),
        code_discounts=tuple(
            CodeDiscount(wallet, 95, SHENZHEN_SINCE, date(2021, 12, 31), source)
            for wallet in ("alipay", "shenzhen-tong")
        ),
    )


def hk_bus_terms() -> Terms:
    """Full fare on boarding. Source: KMB and Citybus (A); multiples of HKD 0.10 (D)."""
    return Terms(step_minor=10)


def shenzhen_bus_terms() -> Terms:
    """Ride codes pay 80 % of the part to 3 CNY, 75 % from 3 to 6, 65 % above.

    Source: A, and 13,431 recorded boardings (D). Worked: 5.00 is 2.40 + 1.50 = 3.90; 8.00 is
    2.40 + 2.25 + 1.30 = 5.95.
    """
    return Terms(step_minor=1, tiers=(Tier(300, 80), Tier(600, 75), Tier(None, 65)))


#: What a Shenzhen bus route costs that no list names (grade C: 1-3 CNY, mostly 2).
SHENZHEN_BUS_DEFAULT = Money(200, CNY)
