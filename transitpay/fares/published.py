"""Since when the fares that are built in or in files without a day have been in force.

What operators publish in prose beside their fares stands in ``published_terms/``, a file a network.
"""

from __future__ import annotations

from datetime import date

from transitpay.money import CNY, Money

#: The first service day on which recorded taps confirm the fares of Shenzhen (grade D).
SHENZHEN_SINCE = date(2018, 8, 31)

#: The adult fares of the MTR file of July 2024 have been in force since this day.
MTR_ADULT_FARES_SINCE = date(2024, 6, 30)

#: Generation day of the route and fare file of the Transport Department that is built in.
HK_BUS_SINCE = date(2026, 3, 31)

#: What is told of the buses of Guangzhou, Foshan and Zhongshan is not claimed for days before.
GUANGDONG_BUS_SINCE = date(2026, 1, 1)

#: What a bus route of Guangzhou, Foshan and Zhongshan costs that no list names (grades B, B, C).
GUANGDONG_BUS_DEFAULT = Money(200, CNY)

#: What a Shenzhen bus route costs that no list names (grade C: 1-3 CNY, mostly 2).
SHENZHEN_BUS_DEFAULT = Money(200, CNY)
