"""Writes rows as CSV that a spreadsheet shows and never runs.

A text that begins with =, +, -, @, a tab or a line break is shown with an apostrophe in front;
numbers are numbers and keep their minus.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from decimal import Decimal

from transitpay.money import Money, currency

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")

Cell = str | int | Decimal | None


def csv_text(header: Iterable[str], rows: Iterable[Iterable[Cell]]) -> str:
    """The rows under their header, LF at line ends, UTF-8 when encoded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(list(header))
    for row in rows:
        writer.writerow([guarded(cell) for cell in row])
    return out.getvalue()


def guarded(cell: Cell) -> str:
    """A cell as it is written."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return "'" + cell if cell.startswith(_RISKY) else cell
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def major(minor: int | None, code: str | None) -> Decimal | None:
    """Minor units as major units of a currency; None where there is no amount."""
    if minor is None or code is None:
        return None
    return Money(minor, currency(code)).major()
