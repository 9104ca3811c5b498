"""Under which names and from which days a version of a tariff can be known.

A name is printed, typed and searched for: letters, digits and a few signs, without blanks. The
table ``tariff_version`` holds the same two rules.
"""

from __future__ import annotations

import re
from datetime import date

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2199, 12, 31)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._#+/@:=-]{0,199}")
_NETWORK = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_OTHER = re.compile(r"[^A-Za-z0-9._#+/@:=-]+")


def unfit_name(version: str) -> str | None:
    """Why this is no name of a version; None where it is one."""
    if _NAME.fullmatch(version):
        return None
    return "a version's name has 1 to 200 letters, digits and ._#+/@:=- and begins with the former"


def unfit_day(day: date) -> str | None:
    """Why this is no first day of a version; None where it is one."""
    if FIRST_DAY <= day <= LAST_DAY:
        return None
    return f"{day} is outside of {FIRST_DAY} to {LAST_DAY}"


def unfit_network(network: str) -> str | None:
    """Why this is no id of a network or operator; None where it is one."""
    if _NETWORK.fullmatch(network):
        return None
    return "an id has 1 to 64 small letters, digits and hyphens"


def fit_stem(stem: str) -> str:
    """A file's name as the beginning of a version's name."""
    return _OTHER.sub("-", stem).lstrip("._#+/@:=-")[:80] or "file"
