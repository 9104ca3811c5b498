"""The names of destinations and modes, and their bits in the bitmaps of codes and key records."""

from __future__ import annotations

from collections.abc import Iterable

from transitpay.errors import MalformedInput

#: The position of a name is its number in a code and its bit in a bitmap.
DESTINATIONS = ("hong-kong", "shenzhen", "guangzhou", "zhongshan", "foshan")
MODES = (
    "metro",
    "bus",
    "light-rail",
    "airport-express",
    "mtr-bus",
    "first-class",
    "business-car",
)


def number(name: str, names: tuple[str, ...]) -> int:
    """The number of a destination or mode.

    Raises: MalformedInput (``unknown_name``).
    """
    if name not in names:
        raise MalformedInput("unknown_name", f"{name!r} is not one of {', '.join(names)}")
    return names.index(name)


def bitmap(chosen: Iterable[str], names: tuple[str, ...]) -> int:
    """The bitmap of these names: ``bitmap(["hong-kong", "guangzhou"], DESTINATIONS) == 0b101``.

    Raises: MalformedInput (``unknown_name``).
    """
    found = 0
    for name in chosen:
        found |= 1 << number(name, names)
    return found


def names_in(bits: int, names: tuple[str, ...]) -> list[str]:
    """The names whose bits are set; a bit without a name is told by its number."""
    known = [name for i, name in enumerate(names) if bits >> i & 1]
    others = range(len(names), bits.bit_length())
    return known + [f"bit-{i}" for i in others if bits >> i & 1]
