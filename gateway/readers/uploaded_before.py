"""What became of scans that were uploaded before: it stands, but for an outcome that comes later.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.readers.uploads import UploadOutcome
from gateway.taps.scans import Stored
from transitpay.postgres.gates.known_scans import KnownTap
from transitpay.ride_code.records.record import Decision, Passage
from transitpay.ride_code.records.rejudgement import LIABLE, NO_PASSAGE, Difference, Rejudged
from transitpay.taps import TapKey


def outcome_of(
    key: TapKey,
    digest: bytes,
    here: Mapping[TapKey, KnownTap],
    apart: Mapping[tuple[TapKey, bytes], str],
) -> UploadOutcome:
    """What became of a scan that was uploaded before."""
    stored = here.get(key)
    if stored is None or (key, digest) in apart:
        return UploadOutcome(Stored.QUARANTINED, None, apart.get((key, digest)))
    if stored.request_digest != digest:
        return UploadOutcome(Stored.CONFLICT, None, "sequence_conflict")
    return UploadOutcome(Stored.KNOWN, stored.word, stored.word.reason)


def after_passage(was: KnownTap, passage: Passage) -> Rejudged:
    """What becomes of a stored scan when its outcome comes later."""
    word = was.word
    if passage in NO_PASSAGE and word.decision is Decision.ACCEPTED:
        return word._replace(decision=Decision.REFUSED, reason=str(passage), flags=())
    if passage is Passage.FORCED_OPEN and not was.opened and word.difference is None:
        difference = Difference.FORCED_OPEN
        return word._replace(difference=difference, liable=LIABLE[difference])
    return word
