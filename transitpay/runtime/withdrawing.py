"""What holds when people take a proposal back, of whatever kind: the first word stays."""

from __future__ import annotations

from transitpay.errors import Conflict
from transitpay.postgres.approvals import Withdrawal


def refuse_withdrawn(known: Withdrawal | None, field: str) -> None:
    """Nothing more comes of a proposal that was withdrawn.

    Raises: Conflict (``already_withdrawn``).
    """
    if known is not None:
        reason = f"{known.by} withdrew it; propose it anew under another name"
        raise Conflict("already_withdrawn", reason, field=field)


def is_withdrawn(counts: bool, known: Withdrawal | None, why: str, field: str) -> bool:
    """Whether a proposal was withdrawn for this reason before; False = it still waits.

    Raises: Conflict (``already_approved``, ``already_withdrawn``).
    """
    if counts:
        raise Conflict("already_approved", "it counts, and is not withdrawn any more", field=field)
    if known is not None and known.why != why:
        raise Conflict(
            "already_withdrawn", f"{known.by} withdrew it for another reason", field="reason"
        )
    return known is not None
