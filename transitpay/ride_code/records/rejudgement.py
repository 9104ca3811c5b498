"""What becomes of a scan that a reader decided: judged again by today's lists, at its own time.

Pure. What the reader did beats what we would have said: a rider who was not let in has no
journey. Where both differ the difference has a name, and exactly one party bears the fare for it
(docs/explanation/liability.md has the table).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, assert_never

from transitpay.ride_code.deny_list import Denials, DenyList
from transitpay.ride_code.reasons import RULES, Kind, Reason
from transitpay.ride_code.records.record import DecidedBy, Decision, Mode, Passage
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import KeyStatus, TrustList
from transitpay.ride_code.verdict import (
    UNCERTAINTY_CAP_S,
    Accepted,
    ReaderRules,
    Rejected,
    judge,
)


class Liable(StrEnum):
    """Who bears the fare of a ride that should not have been, or was not taken."""

    ISSUER = "issuer"
    OPERATOR = "operator"
    RIDER = "rider"
    HOUSE = "house"


class Difference(StrEnum):
    """How what the reader did differs from our judgement."""

    LIST_COULD_NOT_KNOW = "list_could_not_know"
    LIST_STALE = "list_stale"
    LIST_IGNORED = "list_ignored"
    LIST_NEVER_PUBLISHED = "list_never_published"
    UNPROVEN = "unproven"
    OUT_OF_TIME = "out_of_time"
    NO_RIGHT = "no_right"
    OWN_DUPLICATE = "own_duplicate"
    OFFLINE_DOUBLE = "offline_double"
    ANSWER_IGNORED = "answer_ignored"
    CLOCK_BEYOND_CAP = "clock_beyond_cap"
    REFUSED_GOOD = "refused_good"
    GATEWAY_ERRED = "gateway_erred"
    FORCED_OPEN = "forced_open"
    AFTER_DECOMMISSIONING = "after_decommissioning"


#: Who is liable for a difference. A forced gate is the rider's where the code proves one.
LIABLE: Mapping[Difference, Liable] = MappingProxyType(
    {
        Difference.LIST_COULD_NOT_KNOW: Liable.ISSUER,
        Difference.LIST_STALE: Liable.OPERATOR,
        Difference.LIST_IGNORED: Liable.OPERATOR,
        Difference.LIST_NEVER_PUBLISHED: Liable.OPERATOR,
        Difference.UNPROVEN: Liable.OPERATOR,
        Difference.OUT_OF_TIME: Liable.OPERATOR,
        Difference.NO_RIGHT: Liable.OPERATOR,
        Difference.OWN_DUPLICATE: Liable.OPERATOR,
        Difference.OFFLINE_DOUBLE: Liable.ISSUER,
        Difference.ANSWER_IGNORED: Liable.OPERATOR,
        Difference.CLOCK_BEYOND_CAP: Liable.OPERATOR,
        Difference.REFUSED_GOOD: Liable.OPERATOR,
        Difference.GATEWAY_ERRED: Liable.HOUSE,
        Difference.FORCED_OPEN: Liable.RIDER,
        Difference.AFTER_DECOMMISSIONING: Liable.OPERATOR,
    }
)

#: Why an accepted tap is refused after all, beside the reasons of codes.
NO_PASSAGE = frozenset({Passage.NOT_PASSED, Passage.TIMED_OUT})
_OUT_OF_TIME = frozenset(
    {Reason.KEY_NOT_YET_VALID, Reason.KEY_EXPIRED, Reason.AUTHORISATION_NOT_YET_VALID}
    | {Reason.AUTHORISATION_EXPIRED, Reason.CODE_STALE, Reason.CODE_FROM_FUTURE}
)
_UNPROVEN = frozenset(
    {Reason.UNREADABLE, Reason.UNKNOWN_VERSION, Reason.UNKNOWN_KEY, Reason.TEST_KEY}
    | {Reason.BAD_ISSUER_SIGNATURE, Reason.BAD_DEVICE_SIGNATURE}
)
#: What another version of a list, or the reader's own configuration, may have said.
_OF_TRUST = frozenset({Reason.UNKNOWN_KEY, Reason.KEY_COMPROMISED, Reason.TEST_KEY})
_OF_CONFIG = frozenset({Reason.CEILING_TOO_LOW, Reason.SERVICE_EXCLUDED})
_NOBODY = DenyList()


class Knowledge(StrEnum):
    """What the list that a reader held could know of a denial or a compromise."""

    COULD_NOT_KNOW = "could_not_know"
    STALE = "stale"
    KNEW = "knew"
    NEVER_PUBLISHED = "never_published"


@dataclass(frozen=True, slots=True)
class HeldList:
    """The version of a list that the reader held: when it was issued, how long it was good.

    None = not known, as of a reader without a key, whose records cannot say it.
    """

    issued_at: datetime | None = None
    use_by: datetime | None = None


def knowledge(
    held: HeldList | None,
    told_at: datetime,
    at: datetime,
    uncertainty_s: int,
    *,
    said_stale: bool = False,
) -> Knowledge:
    """What a reader could know at ``at`` of what stands in the list since ``told_at``.

    ``held`` is None for a version that was never published, version 0 too. The doubt of its clock
    speaks for the reader.
    """
    if held is None:
        return Knowledge.STALE if said_stale else Knowledge.NEVER_PUBLISHED
    if held.issued_at is not None and held.issued_at >= told_at:
        return Knowledge.KNEW
    doubt = timedelta(seconds=min(uncertainty_s, UNCERTAINTY_CAP_S))
    if said_stale or (held.use_by is not None and at - doubt >= held.use_by):
        return Knowledge.STALE
    return Knowledge.COULD_NOT_KNOW


@dataclass(frozen=True, slots=True)
class TodaysLists:
    """The lists of today, and the trust list as if no key were compromised."""

    trust: TrustList
    deny: Denials
    forgiving: TrustList = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys = [
            replace(key, status=KeyStatus.ACTIVE, compromised_at=None)
            if key.status is KeyStatus.COMPROMISED
            else key
            for key in self.trust.keys.values()
        ]
        object.__setattr__(self, "forgiving", TrustList.of(self.trust.version, keys))


class Judged(NamedTuple):
    """A code by itself, and what today's lists say against an entry with it."""

    verdict: Accepted | Rejected
    against: tuple[Reason, ...] = ()


def judge_again(
    text: str,
    lists: TodaysLists,
    rules: ReaderRules,
    at: datetime,
    uncertainty_s: int = 0,
    cache: SignatureCache | None = None,
) -> Judged:
    """The code at its own time, apart from what lists learn later: denial and compromise."""
    verdict = judge(text, lists.forgiving, _NOBODY, rules, at, uncertainty_s, cache)
    if isinstance(verdict, Rejected):
        return Judged(verdict)
    against: list[Reason] = []
    it = verdict.code.authorisation
    if lists.trust.keys[it.key_id].status is KeyStatus.COMPROMISED:
        today = judge(text, lists.trust, _NOBODY, rules, at, uncertainty_s, cache)
        if isinstance(today, Accepted):
            verdict = today
        else:
            against.append(Reason.KEY_COMPROMISED)
    if lists.deny.denies(verdict.issuer, it.rider_id, it.serial):
        if rules.is_exit:
            verdict = verdict._replace(flags=in_order((*verdict.flags, Reason.DENIED)))
        else:
            against.append(Reason.DENIED)
    return Judged(verdict, tuple(against))


class Deed(NamedTuple):
    """What the reader did with a scan, and what came of it."""

    decision: Decision
    reason: Reason | None = None
    decided_by: DecidedBy = DecidedBy.READER
    mode: Mode = Mode.NORMAL
    passage: Passage | None = None

    @property
    def opened(self) -> bool:
        """Whether the gate was told to open."""
        return self.decision is Decision.ACCEPTED


class OtherUse(StrEnum):
    """An earlier use of the same code, as seen from a scan."""

    SAME_SHOWING = "same_showing"
    SAME_READER = "same_reader"
    OTHER_READER = "other_reader"


class Facts(NamedTuple):
    """What else is known of a scan.

    ``answer`` is what the gateway had said when it was asked; ``knew`` tells of each reason in
    ``Judged.against``; ``other_list``: the reader held other versions than today's.
    """

    use: OtherUse | None = None
    answer: Decision | None = None
    knew: Mapping[Reason, Knowledge] = MappingProxyType({})
    other_list: bool = False
    decommissioned: bool = False


class Rejudged(NamedTuple):
    """What becomes of the scan; ``liable`` is set exactly where ``difference`` is."""

    decision: Decision
    reason: str | None = None
    flags: tuple[Reason, ...] = ()
    difference: Difference | None = None
    liable: Liable | None = None


def rejudge(deed: Deed, judged: Judged, facts: Facts) -> Rejudged:
    """The final word on a scan that a reader has decided."""
    if not deed.opened:
        return _not_opened(deed, judged, facts)
    found = _opened(deed, judged, facts)
    if found.decision is Decision.ACCEPTED and deed.passage in NO_PASSAGE:
        return found._replace(decision=Decision.REFUSED, reason=str(deed.passage), flags=())
    return found


def in_order(flags: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Flags once each, in the order of reasons."""
    return tuple(reason for reason in Reason if reason in flags)


def _not_opened(deed: Deed, judged: Judged, facts: Facts) -> Rejudged:
    reason = None if deed.reason is None else str(deed.reason)
    refused = Rejudged(deed.decision, reason)
    good = isinstance(judged.verdict, Accepted)
    if deed.passage is Passage.FORCED_OPEN and not facts.decommissioned:
        liable = Liable.RIDER if good else Liable.OPERATOR
        return refused._replace(difference=Difference.FORCED_OPEN, liable=liable)
    if not good or judged.against or facts.decommissioned or _may_refuse(deed, facts):
        return refused
    if deed.decided_by is DecidedBy.GATEWAY and facts.answer is Decision.REFUSED:
        return _differing(refused, Difference.GATEWAY_ERRED)
    return _differing(refused, Difference.REFUSED_GOOD)


def _may_refuse(deed: Deed, facts: Facts) -> bool:
    """Whether the reader may have known better: of earlier scans, by its lists or its place.

    By what it says: other uses of the code that come to light make no difference.
    """
    reason = deed.reason
    if reason is None:
        return False
    if RULES[reason].kind is Kind.STATE or reason in _OF_CONFIG:
        return True
    return facts.other_list and (reason is Reason.DENIED or reason in _OF_TRUST)


def _opened(deed: Deed, judged: Judged, facts: Facts) -> Rejudged:
    """Our word on a scan for which the gate opened."""
    verdict, normal = judged.verdict, deed.mode is Mode.NORMAL
    if facts.decommissioned:
        reason = str(Difference.AFTER_DECOMMISSIONING)
        return _differing(Rejudged(Decision.REFUSED, reason), Difference.AFTER_DECOMMISSIONING)
    if isinstance(verdict, Rejected):
        if facts.answer is Decision.ACCEPTED:
            return _differing(Rejudged(Decision.ACCEPTED), Difference.GATEWAY_ERRED)
        refused = Rejudged(Decision.REFUSED, str(verdict.reason))
        return _differing(refused, _difference_of(verdict.reason)) if normal else refused
    ignored = deed.decided_by is DecidedBy.GATEWAY and facts.answer is Decision.REFUSED
    if facts.use is not None:
        return word_on_double(facts.use, normal=normal, ignored=ignored)
    accepted = Rejudged(Decision.ACCEPTED, None, verdict.flags)
    if judged.against:
        accepted = _against(judged, verdict, facts, accepted)
    if not normal or (accepted.difference is not None and not ignored):
        return accepted if normal else accepted._replace(difference=None, liable=None)
    if ignored:
        return _differing(accepted, Difference.ANSWER_IGNORED)
    if Reason.CLOCK_FAULT in verdict.flags:
        return _differing(accepted, Difference.CLOCK_BEYOND_CAP)
    return accepted


def word_on_double(use: OtherUse, *, normal: bool, ignored: bool) -> Rejudged:
    """The word on a scan for which a gate opened, and whose code another scan has.

    ``normal``: it was not read at open gates; ``ignored``: we had refused, and were not obeyed.
    """
    showing = use is OtherUse.SAME_SHOWING
    word = Rejudged(
        Decision.ALREADY_ANSWERED if showing else Decision.REFUSED,
        str(Reason.ALREADY_ANSWERED if showing else Reason.REPLAY),
    )
    if not normal:
        return word
    if use is not OtherUse.OTHER_READER:
        return _differing(word, Difference.OWN_DUPLICATE)
    return _differing(word, Difference.ANSWER_IGNORED if ignored else Difference.OFFLINE_DOUBLE)


def _against(judged: Judged, verdict: Accepted, facts: Facts, accepted: Rejudged) -> Rejudged:
    """A list that is known today speaks against an entry; the first such reason counts."""
    reason = judged.against[0]
    flagged = accepted._replace(flags=in_order((*verdict.flags, *judged.against)))
    match facts.knew[reason]:
        case Knowledge.COULD_NOT_KNOW:
            return _differing(flagged, Difference.LIST_COULD_NOT_KNOW)
        case Knowledge.STALE:
            return _differing(flagged, Difference.LIST_STALE)
        case Knowledge.NEVER_PUBLISHED:
            return _differing(flagged, Difference.LIST_NEVER_PUBLISHED)
        case Knowledge.KNEW if facts.answer is Decision.ACCEPTED:
            return _differing(flagged, Difference.GATEWAY_ERRED)
        case Knowledge.KNEW if reason is Reason.KEY_COMPROMISED:
            # Anybody may have made this code: it proves no rider.
            refused = Rejudged(Decision.REFUSED, str(reason))
            return _differing(refused, Difference.LIST_IGNORED)
        case Knowledge.KNEW:
            return _differing(flagged, Difference.LIST_IGNORED)
        case _ as never:
            assert_never(never)


def _difference_of(reason: Reason) -> Difference:
    if reason in _OUT_OF_TIME:
        return Difference.OUT_OF_TIME
    return Difference.UNPROVEN if reason in _UNPROVEN else Difference.NO_RIGHT


def _differing(word: Rejudged, difference: Difference) -> Rejudged:
    return word._replace(difference=difference, liable=LIABLE[difference])
