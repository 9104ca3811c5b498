"""The kinds of fields that request and answer models are made of, and their base classes.

Whatever a client sends is strict: a number is no text, an unknown field is refused, an instant
names its offset. Texts hold no control characters, so that nothing odd reaches the database.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from transitpay.clock import FIRST_YEAR, LAST_YEAR, wallet_day


class Incoming(BaseModel):
    """A body or query that a client sends."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Outgoing(BaseModel):
    """A body that we send."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _in_range(at: datetime) -> datetime:
    if not FIRST_YEAR < at.year < LAST_YEAR:
        raise ValueError(f"must lie between {FIRST_YEAR} and {LAST_YEAR}")
    return at.astimezone(UTC)


def _day_in_range(day: date) -> date:
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise ValueError(f"must lie between {FIRST_YEAR} and {LAST_YEAR}")
    return day


def local_day(at: datetime) -> date:
    """The calendar day (UTC+8) of a scan."""
    return wallet_day(at)


Instant = Annotated[AwareDatetime, AfterValidator(_in_range)]
Day = Annotated[date, AfterValidator(_day_in_range)]

#: An id of ours or of a partner: letters, digits and - _ . : /
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")]
#: The same, short enough to become part of a longer id.
ShortId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}$")]
#: The id of a journey, in any of its revisions.
JourneyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/~-]{0,79}$")]
#: A text of at most 64 characters without control characters.
Word = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]
Sentence = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
Sequence64 = Annotated[int, Field(ge=0, le=2**63 - 1)]
MinorUnits = Annotated[int, Field(ge=0, le=10_000_000)]
RiderId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
PageLimit = Annotated[int, Field(ge=1, le=200)]
#: What a page's ``next_cursor`` said.
Cursor = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$")]


class Problem(Outgoing):
    """An error as application/problem+json (RFC 9457). ``code`` is stable."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
