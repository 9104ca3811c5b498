"""What readers send and get: taps, batches, heartbeats, their configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.http.fields import Incoming, Instant, MinorUnits, Outgoing, Sequence64, Word
from transitpay.ride_code.reasons import Language
from transitpay.taps import Direction

MAX_BATCH = 500

#: Whatever was read from the glass, a NUL too; it need not be a ride code.
CodeText = Annotated[str, Field(max_length=2048)]
#: Enumerations travel as text, so a strict model takes them by their value.
DirectionText = Annotated[Direction, Field(strict=False)]


class TapFields(Incoming):
    """One scan. The same ``sequence`` always carries the same request."""

    sequence: Annotated[int, Field(ge=1, le=2**63 - 1)]
    at: Instant
    code: CodeText = Field(repr=False)
    direction: DirectionText | None = None
    stop: Word | None = None
    route: Word | None = None
    vehicle: Word | None = None
    stage_fare_minor: MinorUnits | None = None
    uncertainty_s: Annotated[int, Field(ge=0, le=65535)] = 0


class TapRequest(TapFields):
    """A scan of a reader that waits for the answer."""


class BatchRecord(TapFields):
    """A scan that the reader decided by itself; ``opened`` is what its gate did."""

    opened: bool
    reader_reason: Word | None = None


class BatchRequest(Incoming):
    """Records in any order. Every scan up to ``through_at`` is in this or an earlier batch."""

    records: Annotated[list[BatchRecord], Field(max_length=MAX_BATCH)]
    through_at: Instant
    last_sequence: Sequence64


Signal = Literal["green", "amber", "red"]
DecisionText = Literal["accepted", "refused", "already_answered"]


class Texts(Outgoing):
    """What the rider reads."""

    zh_hant: Annotated[str, Field(alias=Language.ZH_HANT.value)]
    zh_hans: Annotated[str, Field(alias=Language.ZH_HANS.value)]
    en: str


class TapAnswer(Outgoing):
    """The gate opens only if ``open`` is true."""

    sequence: int
    decision: DecisionText
    open: bool
    signal: Signal
    reason: str | None
    text: Texts
    flags: list[str]


class BatchResult(Outgoing):
    """What became of one record; ``decision`` is null unless it is stored as a tap, ``liable``
    bears the fare where we judge otherwise than the reader did."""

    sequence: int
    at: Instant
    stored: Literal["new", "known", "conflict", "quarantined"]
    decision: DecisionText | None
    reason: str | None
    difference: str | None
    liable: str | None


class BatchAnswer(Outgoing):
    """One result a record, in the order sent."""

    results: list[BatchResult]
