"""Since when the fares that are built in or in files without a day have been in force.

What operators publish in prose beside their fares stands in ``published_terms/``, a file a network.
"""

from __future__ import annotations

from datetime import date

#: The first service day on which recorded taps confirm the fares of Shenzhen (grade D).
SHENZHEN_SINCE = date(2018, 8, 31)

#: The adult fares of the MTR file of July 2024 have been in force since this day.
MTR_ADULT_FARES_SINCE = date(2024, 6, 30)

#: Generation day of the route and fare file of the Transport Department that is built in.
HK_BUS_SINCE = date(2026, 3, 31)

#: What is told of the buses of Guangzhou, Foshan and Zhongshan is not claimed for days before.
GUANGDONG_BUS_SINCE = date(2026, 1, 1)
