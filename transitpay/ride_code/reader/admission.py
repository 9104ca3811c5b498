"""The reader's own decision: the verdict on a code, and what this reader knows besides.

The first refusal in the order of ``Reason`` is the answer. At an exit only what is no proof of a
ride closes the gate; the rest opens and stands in the record as a flag.
"""

from __future__ import annotations

from dataclasses import dataclass

from transitpay.money import Currency
from transitpay.ride_code.reader.settings import (
    ClockFault,
    ReaderSettings,
    StaleLists,
    StoreFull,
)
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import DecidedBy, Decision
from transitpay.ride_code.verdict import (
    UNCERTAINTY_CAP_S,
    Accepted,
    EarlierUse,
    KnownState,
    Rejected,
    admit,
)


@dataclass(frozen=True, slots=True)
class LocalState:
    """What this reader knows of itself and of earlier scans when it decides."""

    lists_stale: bool = False
    store_full: bool = False
    spent: bool = False
    entered: bool = False
    uncertainty_s: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """What becomes of a scan, and who said so; ``flags`` stand in the order of Reason."""

    by: DecidedBy
    decision: Decision
    reason: Reason | None = None
    flags: tuple[Reason, ...] = ()

    @property
    def opens(self) -> bool:
        """Whether the rider may pass."""
        return self.decision is Decision.ACCEPTED


def decide(verdict: Accepted | Rejected, known: LocalState, settings: ReaderSettings) -> Decided:
    """What a reader that decides alone makes of a scan."""
    if isinstance(verdict, Rejected):
        return _refused(verdict.reason)
    flags: set[Reason] = set(verdict.flags)
    for reason, applies, closes in (
        (Reason.LIST_STALE, known.lists_stale, _stale_closes(verdict, settings)),
        (Reason.STORE_FULL, known.store_full, settings.store_full is StoreFull.CLOSE),
    ):
        if applies and closes and not settings.is_exit:
            return _refused(reason)
        if applies:
            flags.add(reason)
    replay = EarlierUse.OTHER_SCAN if known.spent else None
    admitted = admit(verdict, KnownState(replay, known.entered and not settings.is_exit))
    if isinstance(admitted, Rejected):
        return _refused(admitted.reason)
    doubted = known.uncertainty_s > UNCERTAINTY_CAP_S
    if doubted and settings.clock_fault is ClockFault.CLOSE and not settings.is_exit:
        return _refused(Reason.CLOCK_FAULT)
    ordered = tuple(reason for reason in Reason if reason in flags) if flags else ()
    return Decided(DecidedBy.READER, Decision.ACCEPTED, None, ordered)


def _refused(reason: Reason) -> Decided:
    return Decided(DecidedBy.READER, Decision.REFUSED, reason)


def _stale_closes(verdict: Accepted, settings: ReaderSettings) -> bool:
    """Whether stale lists close an entry to this code: its risk is the highest fare from here."""
    if settings.stale_lists is StaleLists.CLOSE:
        return True
    unit: Currency = verdict.code.authorisation.ceiling_currency
    fare = settings.rules.fares_minor.get(unit)
    return fare is None or fare > settings.stale_ceilings[unit]
