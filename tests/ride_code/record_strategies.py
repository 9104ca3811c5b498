"""Every record there can be, for property tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import (
    BootRecord,
    DecidedBy,
    Decision,
    EventKind,
    EventRecord,
    ListVersions,
    Mode,
    OutcomeRecord,
    Passage,
    Place,
    ScanRecord,
)
from transitpay.taps import Direction

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
positions = st.integers(1, 2**63 - 1)
instants = st.integers(0, 253402300799999).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
doubts = st.integers(0, 0xFFFF)
_short = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]),
    max_size=64,
).filter(lambda text: len(text.encode()) <= 64)
words = st.none() | _short.filter(bool)
versions = st.integers(0, 2**32 - 1)
flag_sets = st.sets(st.sampled_from(Reason)).map(
    lambda found: tuple(reason for reason in Reason if reason in found)
)
decided = st.sampled_from(Decision).flatmap(
    lambda decision: st.tuples(
        st.just(decision),
        st.none() if decision is Decision.ACCEPTED else st.sampled_from(Reason),
    )
)

places = st.builds(Place, words, words, words, words, words, st.none() | st.integers(0, 254))
scans = st.builds(
    lambda head, sequence, direction, by, made, flags, mode, held, place, fare, code: ScanRecord(
        *head, sequence, direction, by, *made, flags, mode, held, place, fare, code
    ),
    st.tuples(positions, instants, doubts),
    positions,
    st.sampled_from(Direction),
    st.sampled_from(DecidedBy),
    decided,
    flag_sets,
    st.sampled_from(Mode),
    st.builds(ListVersions, versions, versions, versions),
    places,
    st.none() | st.integers(0, 2**32 - 2),
    st.binary(max_size=2048),
)
outcomes = st.builds(
    OutcomeRecord, positions, instants, doubts, positions, st.sampled_from(Passage)
)
boots = st.builds(
    BootRecord, positions, instants, doubts, st.integers(1, 2**31 - 1), st.booleans(), _short
)
events = st.builds(EventRecord, positions, instants, doubts, st.sampled_from(EventKind), versions)
records = st.one_of(scans, outcomes, boots, events)
