"""Whether a rider may still say where the missing end of a journey was: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from transitpay.journeys.journey import Excuse, FilledBy


class DeclarationRefusal(StrEnum):
    """Why a station is not declared, in order of precedence."""

    NOT_INCOMPLETE = "not_incomplete"
    GIVEN_BACK = "given_back"
    CAME_TOO_LATE = "came_too_late"
    COVERED_BY_MODE = "covered_by_mode"
    CLAIMS_NOT_TAKEN = "claims_not_taken"
    CROSSED_ACCOUNTS = "crossed_accounts"
    CLAIM_TOO_LATE = "claim_too_late"
    CLAIMS_USED_UP = "claims_used_up"


@dataclass(frozen=True, slots=True)
class Quota:
    """``a_month`` declarations a calendar month, up to ``within_days`` after the service day."""

    a_month: int
    within_days: int


def judge_declaration(
    *,
    has_missing_end: bool,
    filled_by: FilledBy | None,
    excuse: Excuse | None,
    crossed: bool,
    service_day: date,
    today: date,
    declared_this_month: int,
    quota: Quota | None,
) -> DeclarationRefusal | None:
    """None = the declaration counts.

    ``today`` is the service day on which it is made. A habit is only a guess, so the rider may
    still say better; what the operator has corrected is incomplete no longer.
    """
    if not has_missing_end or filled_by in (FilledBy.OPERATOR, FilledBy.RIDER):
        return DeclarationRefusal.NOT_INCOMPLETE
    if excuse is Excuse.GIVEN_BACK:
        return DeclarationRefusal.GIVEN_BACK
    if excuse is Excuse.LATE:
        return DeclarationRefusal.CAME_TOO_LATE
    if excuse is not None or filled_by is FilledBy.OPEN_GATES:
        return DeclarationRefusal.COVERED_BY_MODE
    if quota is None:
        return DeclarationRefusal.CLAIMS_NOT_TAKEN
    if crossed:
        return DeclarationRefusal.CROSSED_ACCOUNTS
    if (today - service_day).days > quota.within_days:
        return DeclarationRefusal.CLAIM_TOO_LATE
    if declared_this_month >= quota.a_month:
        return DeclarationRefusal.CLAIMS_USED_UP
    return None
