"""From a reader's request to a judged scan: the reader's registration, the clock, the verdict.

Pure but for the signature cache. Online scans must be near our clock; what a reader decided by
itself is judged again at its own stamp (``transitpay.ride_code.records.rejudgement``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.http.fields import local_day
from gateway.taps.places import PlaceCache, Places
from gateway.taps.scans import JudgedScan, judged_scan
from gateway.taps.tap_models import TapFields
from transitpay.postgres.reference import ReaderRegistration
from transitpay.ride_code.deny_list import Denials
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.rejudgement import Judged, TodaysLists, judge_again
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.verdict import (
    UNCERTAINTY_CAP_S,
    Accepted,
    ReaderRules,
    Rejected,
    judge,
)
from transitpay.taps import RiderRef, Scan, TapKey

#: How far an online reader's clock may be from ours.
CLOCK_TOLERANCE = timedelta(seconds=20)
_REMEMBERED_RULES = 10_000
#: Refusals that are said only after both signatures were found good.
_PROVEN = frozenset(
    {Reason.DENIED, Reason.QUOTA_EXCEEDED, Reason.CEILING_TOO_LOW, Reason.CLOCK_FAULT}
)


class Judging:
    """Judges scans by the lists it is given; ``speed`` stretches the clock tolerance.

    ``places`` knows open gates and highest fares.
    """

    def __init__(self, places: PlaceCache, *, test_keys_allowed: bool, speed: int = 1) -> None:
        self._places = places
        self._test_keys_allowed = test_keys_allowed
        self._tolerance = CLOCK_TOLERANCE * speed
        self._signatures = SignatureCache(limit=20_000)
        self._known_rules: dict[object, tuple[ReaderRegistration, Places, ReaderRules]] = {}

    def online(
        self,
        asked: TapFields,
        reader: ReaderRegistration,
        trust: TrustList,
        deny: Denials,
        now: datetime,
    ) -> JudgedScan:
        """The scan of a reader that waits for our answer."""
        scan = scan_of(asked, reader)
        doubt = timedelta(seconds=min(scan.uncertainty_s, UNCERTAINTY_CAP_S))
        verdict = self._judge(scan, reader, trust, deny)
        rider, rules = _rider(verdict, trust), self._rules(scan, reader)
        if isinstance(verdict, Accepted) and not self._places.current.takes_codes(
            scan.network, verdict.issuer, scan.at
        ):
            verdict = _although_good(verdict, Reason.SERVICE_EXCLUDED, rules)
        if abs(scan.at - now) > self._tolerance + doubt:
            verdict = _although_good(verdict, Reason.CLOCK_FAULT, rules)
        return self._judged(scan, reader, verdict, rider, now, asked)

    def again(self, scan: Scan, reader: ReaderRegistration, lists: TodaysLists) -> Judged:
        """The scan of a reader that decided by itself, at its own time."""
        rules = self._rules(scan, reader)
        return judge_again(scan.code, lists, rules, scan.at, scan.uncertainty_s, self._signatures)

    def open_gates(self, scan: Scan) -> str | None:
        """The mode by which the gates of the stop stood open at the scan."""
        return self._places.current.open_gates(scan.network, scan.stop, scan.at)

    def _judge(
        self, scan: Scan, reader: ReaderRegistration, trust: TrustList, deny: Denials
    ) -> Accepted | Rejected:
        rules = self._rules(scan, reader)
        return judge(scan.code, trust, deny, rules, scan.at, scan.uncertainty_s, self._signatures)

    def _rules(self, scan: Scan, reader: ReaderRegistration) -> ReaderRules:
        """The rules of a reader at a stop, made once an hour: no fare changes within one."""
        at, places = scan.at, self._places.current
        hour = (at.year, at.month, at.day, at.hour)
        asked = (
            reader.id, scan.direction, scan.stop, scan.route, scan.stage_fare_minor, hour
        )  # fmt: skip
        known = self._known_rules.get(asked)
        if known is not None and known[0] is reader and known[1] is places:
            return known[2]
        stop, stage = scan.route or scan.stop, scan.stage_fare_minor
        fares = places.highest_fares(scan.network, stop, scan.direction, at, stage)
        rules = ReaderRules(
            reader.destination,
            reader.mode,
            scan.direction,
            service_excluded=reader.service_excluded,
            test_keys_allowed=self._test_keys_allowed,
            other_highest_fares=fares,
        )
        if len(self._known_rules) >= _REMEMBERED_RULES:
            self._known_rules.clear()
        self._known_rules[asked] = (reader, places, rules)
        return rules

    def _judged(
        self,
        scan: Scan,
        reader: ReaderRegistration,
        verdict: Accepted | Rejected,
        rider: RiderRef | None,
        now: datetime,
        asked: TapFields,
    ) -> JudgedScan:
        key = TapKey(local_day(scan.at), scan.reader, scan.sequence)
        mode = self.open_gates(scan)

        def request() -> Mapping[str, object]:
            return asked.model_dump(mode="json")

        return judged_scan(scan, key, reader, verdict, rider, now, request, mode=mode)


def scan_of(asked: TapFields, reader: ReaderRegistration) -> Scan:
    """The scan that a request describes; stop and direction default to the registration's."""
    return Scan(
        reader.id, asked.sequence, asked.at, asked.code, asked.direction or reader.direction,
        reader.network, asked.stop or reader.stop, asked.uncertainty_s, asked.route,
        asked.vehicle, asked.stage_fare_minor,
    )  # fmt: skip


def _although_good(
    verdict: Accepted | Rejected, why: Reason, rules: ReaderRules
) -> Accepted | Rejected:
    """A code that is good is refused at an entry for ``why``; an exit opens and says so."""
    if isinstance(verdict, Rejected):
        return verdict
    if not rules.is_exit:
        return Rejected(why, verdict.code)
    flags = {*verdict.flags, why}
    return verdict._replace(flags=tuple(reason for reason in Reason if reason in flags))


def _rider(verdict: Accepted | Rejected, trust: TrustList) -> RiderRef | None:
    """The rider, where both signatures prove one."""
    if isinstance(verdict, Accepted):
        return verdict.rider
    if verdict.reason not in _PROVEN or verdict.code is None:
        return None
    it = verdict.code.authorisation
    return RiderRef(trust.keys[it.key_id].issuer, it.rider_id, verdict.code.slot)
