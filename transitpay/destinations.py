"""The cities and kinds of transport that a ride code can name, and their bit numbers.

The numbers stand in issued codes: a name is added at the end and never moves.
"""

from __future__ import annotations

from collections.abc import Iterable

from transitpay.errors import MalformedInput

#: Destination -> its number; 4 bits in a drawn code, bit n of an authorisation's bitmap.
DESTINATIONS = ("hong-kong", "shenzhen", "guangzhou", "zhongshan", "foshan")
#: Mode -> its number; bit n of an authorisation's bitmap.
MODES = (
    "metro",
    "bus",
    "light-rail",
    "airport-express",
    "mtr-bus",
    "first-class",
    "business-car",
)


def destination_number(name: str) -> int:
    """The number of a destination. Raises: MalformedInput (``unknown_destination``)."""
    return _number(DESTINATIONS, name, "destination")


def mode_number(name: str) -> int:
    """The number of a mode. Raises: MalformedInput (``unknown_mode``)."""
    return _number(MODES, name, "mode")


def bitmap(numbers: Iterable[int]) -> int:
    """The bitmap in which these bits are set: ``bitmap([0, 1]) == 3``."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def _number(names: tuple[str, ...], name: str, kind: str) -> int:
    if name not in names:
        known = ", ".join(names)
        raise MalformedInput(f"unknown_{kind}", f"{name!r} is none of {known}", field=kind)
    return names.index(name)
