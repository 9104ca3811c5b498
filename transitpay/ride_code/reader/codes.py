"""From the bytes of a scanner to a verdict, and from the code of a record to what it spent."""

from __future__ import annotations

from datetime import datetime

from transitpay.errors import MalformedInput
from transitpay.ride_code.reader.held_lists import HeldLists
from transitpay.ride_code.received import read, text_of
from transitpay.ride_code.records.record_bytes import MAX_CODE_LENGTH
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.verdict import (
    Accepted,
    ReaderRules,
    Rejected,
    ReplayKey,
    judge,
    replay_key,
)
from transitpay.taps import RiderRef


def scanned(data: bytes, terminator: bytes = b"") -> bytes:
    """The code as scanners give it, without the one terminator that this scanner is set to add.

    Nothing else is trimmed or folded: the verdict is strict. What is longer than any code is cut.
    """
    return data.removesuffix(terminator)[:MAX_CODE_LENGTH]


def judge_scanned(
    code: bytes,
    lists: HeldLists,
    rules: ReaderRules,
    at: datetime,
    uncertainty_s: int,
    cache: SignatureCache,
) -> Accepted | Rejected:
    """The verdict on what a scanner gave. No bytes whatever raise."""
    return judge(text_of(code), lists.trust, lists.deny, rules, at, uncertainty_s, cache)


def spent_by(code: bytes, trust: TrustList) -> tuple[ReplayKey, RiderRef | None] | None:
    """What an accepted scan of this code spent, and whose it is where the issuer is known.

    Only for codes that were judged before: nothing is verified.
    """
    try:
        _, it = read(text_of(code))
    except MalformedInput:
        return None
    allowed = it.authorisation
    issuer = trust.keys.get(allowed.key_id)
    rider = RiderRef(issuer.issuer, allowed.rider_id, it.slot) if issuer is not None else None
    return replay_key(it), rider
