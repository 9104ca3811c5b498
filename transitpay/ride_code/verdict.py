"""Judges a ride code: same text, lists, reader rules and instant, same verdict anywhere.

Two stages. ``judge`` needs nothing but its arguments. ``admit`` adds what a tier remembers of
other taps: replay and passback. Reasons are checked in the order of ``Reason``; everything that
needs no cryptography comes first, then at most two verifications and one key load; in the second
format one more of each where the issuer was not met before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from transitpay.errors import MalformedInput
from transitpay.money import Currency, Money
from transitpay.ride_code import signing
from transitpay.ride_code.claims import Code, KeyTerms
from transitpay.ride_code.deny_list import Denials
from transitpay.ride_code.layout import (
    AUTHORISATION_LENGTH,
    DEVICE_SIGNED_LENGTH,
    SIGNATURE_LENGTH,
    RideCode,
)
from transitpay.ride_code.mot import chain
from transitpay.ride_code.mot.layout import MotCode
from transitpay.ride_code.reasons import RULES, ExitPolicy, Reason
from transitpay.ride_code.received import read
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus, TrustList
from transitpay.taps import EXITS, Direction, RiderRef

#: The reader's doubt of its own clock widens the freshness window at most by this.
UNCERTAINTY_CAP_S = 300
_DAY_S = 86400
_ISSUER_SIGNED_END = AUTHORISATION_LENGTH + SIGNATURE_LENGTH


@dataclass(frozen=True, slots=True)
class ReaderRules:
    """What a reader accepts; from its dated configuration.

    ``destination`` and ``mode`` are bit numbers. ``highest_fare`` is the highest plain fare from
    this stop, ``other_highest_fares`` the same in other ceiling currencies; a ceiling in a
    currency without one is not compared. ``max_age_s`` is 1-600, and ``mot_max_age_s`` the same
    for Ministry of Transport codes, whose pages draw anew more seldom. ``overstay_s`` is the
    longest time in the paid area after which an exit no longer opens for an expired permission.

    Raises: MalformedInput (``bad_reader_rules``).
    """

    destination: int
    mode: int
    direction: Direction
    service_excluded: bool = False
    test_keys_allowed: bool = False
    highest_fare: Money | None = None
    other_highest_fares: tuple[Money, ...] = ()
    max_age_s: int = 60
    max_future_s: int = 20
    overstay_s: int = 210 * 60
    mot_max_age_s: int = 600
    #: Currency -> highest fare in minor units, made of the two fields above.
    fares_minor: dict[Currency, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ranges = {
            "destination": (self.destination, 0, 15),
            "mode": (self.mode, 0, 7),
            "max_age_s": (self.max_age_s, 1, 600),
            "mot_max_age_s": (self.mot_max_age_s, 1, 600),
            "max_future_s": (self.max_future_s, 0, 600),
            "overstay_s": (self.overstay_s, 0, 86400),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise MalformedInput("bad_reader_rules", f"must be {low} to {high}", field=name)
        first = () if self.highest_fare is None else (self.highest_fare,)
        told = (*first, *self.other_highest_fares)
        fares = {fare.currency: fare.minor for fare in told}
        if len(fares) != len(told):
            raise MalformedInput(
                "bad_reader_rules", "must tell a currency once", field="highest_fares"
            )
        object.__setattr__(self, "fares_minor", fares)

    @property
    def is_exit(self) -> bool:
        """Whether the exit policy applies: exit gates, and alighting."""
        return self.direction in EXITS


class ReplayKey(NamedTuple):
    """What makes two codes the same code; all of it from signed bytes, none of it a hash.

    A tuple, because each scan is looked up by it many times.
    """

    device_key: bytes
    not_before: int
    serial: int
    counter: int


class Accepted(NamedTuple):
    """A code that is genuine, fresh and allowed here; ``flags`` stand in the order of Reason.

    ``signed`` is what the device signed: two codes of one replay key with other bytes here come
    from two devices.
    """

    code: RideCode | MotCode
    issuer: str
    rider: RiderRef
    replay_key: ReplayKey
    flags: tuple[Reason, ...] = ()
    signed: bytes = b""

    @property
    def content(self) -> bytes:
        """A digest of what the device signed, 16 bytes."""
        return hashlib.sha256(self.signed).digest()[:16]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refusal. ``code`` is what the bytes claim, where they could be read: unless the reason
    comes after ``bad_device_signature``, nobody has proved any of it."""

    reason: Reason
    code: RideCode | MotCode | None = None


class EarlierUse(StrEnum):
    """What a tier remembers of a replay key."""

    OTHER_SCAN = "other_scan"
    SAME_READER_WITHIN_DEBOUNCE = "same_reader_within_debounce"


class Travel(StrEnum):
    """What a tier makes of a rider who was in another region too short a time ago.

    ``certain``: at an entry, of two taps decided online by readers whose clocks were right.
    """

    DOUBTFUL = "doubtful"
    CERTAIN = "certain"


class KnownState(NamedTuple):
    """What this tier knows of other taps; the defaults say that it knows of none.

    ``passback``: this rider and slot entered here too recently (never set at an exit).
    ``missing_entry``: set at an exit only, by a tier that would know the entry.
    """

    replay: EarlierUse | None = None
    passback: bool = False
    missing_entry: bool = False
    travel: Travel | None = None


class Admitted(NamedTuple):
    """The gate may open; ``flags`` are those of ``accepted`` and those of this stage."""

    accepted: Accepted
    flags: tuple[Reason, ...] = ()


def judge(
    text: str,
    trust: TrustList,
    deny: Denials,
    reader: ReaderRules,
    at: datetime,
    uncertainty_s: int = 0,
    cache: SignatureCache | None = None,
) -> Accepted | Rejected:
    """The verdict on the text of a code scanned at ``at`` (aware UTC; fractions are dropped).

    ``uncertainty_s`` is the reader's doubt of ``at``; above 300 it counts as 300 and the verdict
    carries ``clock_fault``. No text whatever raises.
    """
    assert at.tzinfo is not None, "instants are aware"
    try:
        received, code = read(text)
    except MalformedInput as error:
        known = error.code == Reason.UNKNOWN_VERSION
        return Rejected(Reason.UNKNOWN_VERSION if known else Reason.UNREADABLE)
    is_mot = isinstance(code, MotCode)
    key = trust.keys.get(code.authorisation.key_id)
    if key is None or (key.algorithm is Algorithm.SM2) is not is_mot:
        return Rejected(Reason.UNKNOWN_KEY, code)
    terms: KeyTerms = chain.terms(code, key) if isinstance(code, MotCode) else key
    max_age_s = reader.mot_max_age_s if is_mot else reader.max_age_s
    flags = _key_and_times(code, terms, reader, max_age_s, at, uncertainty_s)
    flags += _rights(code, terms, reader)
    if flags and (refused := _first_refusal(flags, code, terms, reader, at)):
        return Rejected(refused, code)
    if isinstance(code, MotCode):
        forged = chain.bad_signature(received, code, key, cache)
    else:
        forged = _check_signatures(received, code, key, cache)
    if forged is not None:
        return Rejected(forged, code)
    late_flags = _standing(code, terms, deny, reader)
    if late_flags and (refused := _first_refusal(late_flags, code, terms, reader, at)):
        return Rejected(refused, code)
    if uncertainty_s > UNCERTAINTY_CAP_S:
        late_flags.append(Reason.CLOCK_FAULT)
    rider = RiderRef(key.issuer, code.authorisation.rider_id, code.slot)
    signed = received[: chain.USER_SIGNED_END if is_mot else DEVICE_SIGNED_LENGTH]
    return Accepted(code, key.issuer, rider, replay_key(code), (*flags, *late_flags), signed)


def replay_key(code: RideCode | MotCode) -> ReplayKey:
    """What spends a code. A Ministry of Transport code is spent by its user key and the second
    at which it was drawn: the day stands as not-before, the second of the day as counter."""
    it = code.authorisation
    if isinstance(code, MotCode):
        second = code.generated_at % _DAY_S
        return ReplayKey(it.device_key, code.generated_at - second, 0, second)
    return ReplayKey(it.device_key, it.not_before, it.serial, code.counter)


def admit(accepted: Accepted, known: KnownState) -> Admitted | Rejected:
    """What a tier that remembers other taps makes of an accepted code.

    ``already_answered`` never opens a second time: the first answer is shown again.
    """
    if known.replay is EarlierUse.SAME_READER_WITHIN_DEBOUNCE:
        return Rejected(Reason.ALREADY_ANSWERED, accepted.code)
    if known.replay is not None:
        return Rejected(Reason.REPLAY, accepted.code)
    if known.passback:
        return Rejected(Reason.PASSBACK, accepted.code)
    if known.travel is Travel.CERTAIN:
        return Rejected(Reason.IMPOSSIBLE_TRAVEL, accepted.code)
    found = [Reason.IMPOSSIBLE_TRAVEL] if known.travel else []
    if known.missing_entry:
        found.append(Reason.MISSING_ENTRY)
    if not found:
        return Admitted(accepted, accepted.flags)
    order = list(Reason).index
    return Admitted(accepted, tuple(sorted({*accepted.flags, *found}, key=order)))


def _key_and_times(
    code: Code,
    key: KeyTerms,
    reader: ReaderRules,
    max_age_s: int,
    at: datetime,
    uncertainty_s: int,
) -> list[Reason]:
    """What the key record and the clock say against a code, in order."""
    found: list[Reason] = []
    if key.test and not reader.test_keys_allowed:
        found.append(Reason.TEST_KEY)
    if key.status is KeyStatus.COMPROMISED:
        found.append(Reason.KEY_COMPROMISED)
    if at < key.not_before:
        found.append(Reason.KEY_NOT_YET_VALID)
    elif at >= key.not_after:
        found.append(Reason.KEY_EXPIRED)
    it = code.authorisation
    drawn = code.generated_at
    if drawn < it.not_before:
        found.append(Reason.AUTHORISATION_NOT_YET_VALID)
    elif drawn >= it.expires_at:
        found.append(Reason.AUTHORISATION_EXPIRED)
    doubt = min(max(uncertainty_s, 0), UNCERTAINTY_CAP_S)
    age = int(at.timestamp() // 1) - drawn
    if age > min(max_age_s, it.code_life_s) + doubt:
        found.append(Reason.CODE_STALE)
    elif -age > reader.max_future_s + doubt:
        found.append(Reason.CODE_FROM_FUTURE)
    return found


def _rights(code: Code, key: KeyTerms, reader: ReaderRules) -> list[Reason]:
    """What the code's own limits, and its key's, say against this place; in order."""
    found: list[Reason] = []
    it = code.authorisation
    if reader.service_excluded:
        found.append(Reason.SERVICE_EXCLUDED)
    if code.destination != reader.destination and code.destination is not None:
        found.append(Reason.WRONG_DESTINATION)
    if not (it.destinations & key.destinations) >> reader.destination & 1:
        found.append(Reason.DESTINATION_NOT_ALLOWED)
    if not (it.modes & key.modes) >> reader.mode & 1:
        found.append(Reason.MODE_NOT_ALLOWED)
    if code.slot > it.max_companions:
        found.append(Reason.COMPANION_NOT_ALLOWED)
    return found


def _standing(code: Code, key: KeyTerms, deny: Denials, reader: ReaderRules) -> list[Reason]:
    """What is said of a rider whose code is proved genuine; in order."""
    found: list[Reason] = []
    it = code.authorisation
    if deny.denies(key.issuer, it.rider_id, it.serial):
        found.append(Reason.DENIED)
    if code.counter > it.quota:
        found.append(Reason.QUOTA_EXCEEDED)
    fare = reader.fares_minor.get(it.ceiling_currency) if reader.fares_minor else None
    if fare is not None and fare > it.ceiling.minor:
        found.append(Reason.CEILING_TOO_LOW)
    return found


def _check_signatures(
    received: bytes, code: RideCode, key: IssuerKey, cache: SignatureCache | None
) -> Reason | None:
    """The reason if a signature is bad: over the received bytes, at most two verifications."""
    signed = received[:_ISSUER_SIGNED_END]
    device_key = cache.device_key(key.cache_label, signed) if cache is not None else None
    if device_key is None:
        if not key.verifier.accepts(code.issuer_signature, received[:AUTHORISATION_LENGTH]):
            return Reason.BAD_ISSUER_SIGNATURE
        device_key = signing.load_point(code.authorisation.device_key)
        if device_key is None:
            return Reason.BAD_DEVICE_SIGNATURE
        if cache is not None:
            cache.remember(key.cache_label, signed, device_key)
    if not signing.device_accepts(
        device_key, code.device_signature, received[:DEVICE_SIGNED_LENGTH]
    ):
        return Reason.BAD_DEVICE_SIGNATURE
    return None


def _first_refusal(
    found: list[Reason], code: Code, key: KeyTerms, reader: ReaderRules, at: datetime
) -> Reason | None:
    """The first of these reasons that closes the gate here; None if an exit opens for them all."""
    if not reader.is_exit:
        return found[0]
    return next((r for r in found if not _exit_opens(r, code, key, reader, at)), None)


def _exit_opens(
    reason: Reason, code: Code, key: KeyTerms, reader: ReaderRules, at: datetime
) -> bool:
    """Whether an exit opens in spite of ``reason``: the rider may have entered in good order.

    The overstay limit runs from when the permission ended; a key whose compromise is undated
    never opens.
    """
    policy = RULES[reason].at_exit
    if policy is not ExitPolicy.OPEN_WITHIN_OVERSTAY:
        return policy is ExitPolicy.OPEN_AND_FLAG
    if reason is Reason.AUTHORISATION_EXPIRED:
        return code.generated_at < code.authorisation.expires_at + reader.overstay_s
    ended_at = key.not_after if reason is Reason.KEY_EXPIRED else key.compromised_at
    return ended_at is not None and at < ended_at + timedelta(seconds=reader.overstay_s)
