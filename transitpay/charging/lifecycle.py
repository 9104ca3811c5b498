"""The states of a charge and of its attempts, and the only steps between them.

A charge is what is due; an attempt is one payment request id at the wallet. At most one attempt
of a charge may hold money (``HOLDING``); a new one begins only when no attempt may.
"""

from __future__ import annotations

from enum import StrEnum


class ChargeState(StrEnum):
    """What is known about a debt."""

    HELD = "HELD"  #: no rate yet: nothing may be asked of the wallet
    DUE = "DUE"  #: owed, and no attempt may hold money
    IN_FLIGHT = "IN_FLIGHT"  #: an attempt may hold money
    ARREARS = "ARREARS"  #: owed after a final refusal; tried again later, or by people
    CAPTURED = "CAPTURED"  #: paid
    WITHDRAWN = "WITHDRAWN"  #: the debt itself is gone: a correction took it back
    WRITTEN_OFF = "WRITTEN_OFF"  #: given up; the agreement says who bears it


class AttemptState(StrEnum):
    """What is known about the money of one payment request id."""

    SENT = "SENT"  #: the body is stored and may be on the wire
    UNKNOWN = "UNKNOWN"  #: the wallet did not say yes or no: it is asked
    CANCELLING = "CANCELLING"  #: a cancel may be on the wire and wins over a late success
    CAPTURED = "CAPTURED"  #: the wallet holds the money for us
    DECLINED = "DECLINED"  #: final no
    CANCELLED = "CANCELLED"  #: the cancel won
    ABSENT = "ABSENT"  #: the wallet has no such payment
    SURPLUS = "SURPLUS"  #: paid although nothing was owed any more: refunded


class Action(StrEnum):
    """What is to be asked of the wallet next."""

    PAY = "PAY"
    INQUIRE = "INQUIRE"
    CANCEL = "CANCEL"
    REFUND = "REFUND"
    NOTHING = "NOTHING"


#: States of a debt that is neither paid nor gone.
UNPAID = frozenset({ChargeState.HELD, ChargeState.DUE, ChargeState.IN_FLIGHT, ChargeState.ARREARS})
#: States in which an attempt may hold the money of the debt. The database has the same list.
HOLDING = frozenset(
    {AttemptState.SENT, AttemptState.UNKNOWN, AttemptState.CANCELLING, AttemptState.CAPTURED}
)
#: Holding states that still need an answer.
OPEN = HOLDING - {AttemptState.CAPTURED}

#: Every step an attempt may take.
ATTEMPT_EDGES: frozenset[tuple[AttemptState, AttemptState]] = frozenset(
    (before, after)
    for before, afters in {
        AttemptState.SENT: "UNKNOWN CANCELLING CAPTURED DECLINED CANCELLED",
        AttemptState.UNKNOWN: "SENT CANCELLING CAPTURED DECLINED CANCELLED ABSENT",
        AttemptState.CANCELLING: "CAPTURED CANCELLED ABSENT",
        AttemptState.CAPTURED: "CANCELLED",
        AttemptState.DECLINED: "CAPTURED SURPLUS",
        AttemptState.ABSENT: "CAPTURED SURPLUS",
        AttemptState.CANCELLED: "",
        AttemptState.SURPLUS: "",
    }.items()
    for after in map(AttemptState, afters.split())
)

#: Every step a charge may take.
CHARGE_EDGES: frozenset[tuple[ChargeState, ChargeState]] = frozenset(
    (before, after)
    for before, afters in {
        ChargeState.HELD: "DUE WITHDRAWN",
        ChargeState.DUE: "IN_FLIGHT CAPTURED WITHDRAWN WRITTEN_OFF",
        ChargeState.IN_FLIGHT: "DUE ARREARS CAPTURED",
        ChargeState.ARREARS: "DUE IN_FLIGHT CAPTURED WITHDRAWN WRITTEN_OFF",
        ChargeState.CAPTURED: "DUE",
        ChargeState.WITHDRAWN: "",
        ChargeState.WRITTEN_OFF: "",
    }.items()
    for after in map(ChargeState, afters.split())
)
