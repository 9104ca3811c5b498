"""Cursors of lists that come newest first: the position of the last row, as one opaque word."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from transitpay.errors import MalformedInput
from transitpay.postgres.journeys.records import PagePosition, Row


def read_cursor(text: str | None) -> PagePosition | None:
    """The position that a cursor names.

    Raises: MalformedInput (``bad_cursor``).
    """
    if text is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        at_text, bar, row_id = raw.partition("|")
        at = datetime.fromisoformat(at_text)
    except (binascii.Error, ValueError):
        raise _bad() from None
    if not bar or at.tzinfo is None or not 2020 < at.year < 2100 or not row_id.isprintable():
        raise _bad()
    return PagePosition(at, row_id)


def next_cursor(rows: Sequence[Row], limit: int) -> str | None:
    """The cursor after these rows, which were read with ``limit + 1``; None = no more."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return encode_cursor(last["priced_at"], last["id"])


def encode_cursor(at: datetime, row_id: str) -> str:
    """The cursor that ``read_cursor`` reads."""
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{row_id}".encode()).decode().rstrip("=")


def page(rows: Sequence[Row], limit: int) -> list[dict[str, Any]]:
    """The rows of this page. Any: a row's columns have many types."""
    return [dict(row) for row in rows[:limit]]


def _bad() -> MalformedInput:
    return MalformedInput("bad_cursor", "this is no cursor of ours", field="cursor")
