"""Judging again what a reader did: each difference once with its liable party, and both edges."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ride_code_scheme import AT, Scheme

from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.records.record import DecidedBy, Decision, Mode, Passage
from transitpay.ride_code.records.rejudgement import (
    LIABLE,
    Deed,
    Difference,
    Facts,
    HeldList,
    Judged,
    Knowledge,
    Liable,
    OtherUse,
    Rejudged,
    knowledge,
    rejudge,
)
from transitpay.ride_code.verdict import Accepted, Rejected

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "liability.md"
A, R = Decision.ACCEPTED, Decision.REFUSED
OPENED = Deed(A)
GATEWAY = DecidedBy.GATEWAY


@pytest.fixture
def good() -> Judged:
    scheme = Scheme()
    verdict = scheme.judge(scheme.code())
    assert isinstance(verdict, Accepted)
    return Judged(verdict)


def bad(reason: Reason) -> Judged:
    return Judged(Rejected(reason))


def word(found: Rejudged) -> tuple[Decision, str | None, Difference | None, Liable | None]:
    return (found.decision, found.reason, found.difference, found.liable)


def test_a_good_code_that_was_opened_or_known_used_is_no_difference(good: Judged) -> None:
    assert word(rejudge(OPENED, good, Facts())) == (A, None, None, None)
    passback = Deed(R, Reason.PASSBACK)
    assert word(rejudge(passback, good, Facts())) == (R, "passback", None, None)


@pytest.mark.parametrize(
    ("knew", "reason", "expected"),
    [
        (Knowledge.COULD_NOT_KNOW, Reason.DENIED, (A, None, Difference.LIST_COULD_NOT_KNOW)),
        (Knowledge.STALE, Reason.DENIED, (A, None, Difference.LIST_STALE)),
        (Knowledge.KNEW, Reason.DENIED, (A, None, Difference.LIST_IGNORED)),
        (Knowledge.NEVER_PUBLISHED, Reason.DENIED, (A, None, Difference.LIST_NEVER_PUBLISHED)),
        (Knowledge.COULD_NOT_KNOW, Reason.KEY_COMPROMISED,
         (A, None, Difference.LIST_COULD_NOT_KNOW)),
        (Knowledge.KNEW, Reason.KEY_COMPROMISED, (R, "key_compromised", Difference.LIST_IGNORED)),
    ],
)  # fmt: skip
def test_a_list_that_speaks_against_an_entry(
    good: Judged, knew: Knowledge, reason: Reason, expected: tuple[object, ...]
) -> None:
    judged = Judged(good.verdict, (reason,))
    found = rejudge(OPENED, judged, Facts(knew={reason: knew}))
    assert word(found)[:3] == expected
    if found.decision is A:
        assert found.flags == (reason,)
    assert found.liable is LIABLE[found.difference or Difference.UNPROVEN]


@pytest.mark.parametrize(
    ("reason", "difference"),
    [
        (Reason.UNREADABLE, Difference.UNPROVEN),
        (Reason.BAD_DEVICE_SIGNATURE, Difference.UNPROVEN),
        (Reason.CODE_STALE, Difference.OUT_OF_TIME),
        (Reason.AUTHORISATION_EXPIRED, Difference.OUT_OF_TIME),
        (Reason.WRONG_DESTINATION, Difference.NO_RIGHT),
        (Reason.QUOTA_EXCEEDED, Difference.NO_RIGHT),
    ],
)
def test_a_code_that_should_not_have_opened_is_the_operators(
    reason: Reason, difference: Difference
) -> None:
    assert word(rejudge(OPENED, bad(reason), Facts())) == (
        R, str(reason), difference, Liable.OPERATOR,
    )  # fmt: skip
    same = rejudge(Deed(R, reason), bad(reason), Facts())
    assert word(same) == (R, str(reason), None, None)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (OtherUse.SAME_SHOWING, (Decision.ALREADY_ANSWERED, "already_answered",
                                 Difference.OWN_DUPLICATE, Liable.OPERATOR)),
        (OtherUse.SAME_READER, (R, "replay", Difference.OWN_DUPLICATE, Liable.OPERATOR)),
        (OtherUse.OTHER_READER, (R, "replay", Difference.OFFLINE_DOUBLE, Liable.ISSUER)),
    ],
)  # fmt: skip
def test_a_code_that_was_used_before(
    good: Judged, use: OtherUse, expected: tuple[object, ...]
) -> None:
    assert word(rejudge(OPENED, good, Facts(use))) == expected
    refused = rejudge(Deed(R, Reason.REPLAY), good, Facts(use))
    assert word(refused) == (R, "replay", None, None)


def test_the_gateways_answer_counts_for_the_house_and_against_who_ignores_it(good: Judged) -> None:
    by_us = Deed(A, None, GATEWAY)
    found = rejudge(by_us, bad(Reason.UNKNOWN_KEY), Facts(answer=A))
    assert word(found) == (A, None, Difference.GATEWAY_ERRED, Liable.HOUSE)
    found = rejudge(Deed(R, Reason.UNKNOWN_KEY, GATEWAY), good, Facts(answer=R))
    assert word(found)[2:] == (Difference.GATEWAY_ERRED, Liable.HOUSE)
    found = rejudge(by_us, good, Facts(answer=R))
    assert word(found) == (A, None, Difference.ANSWER_IGNORED, Liable.OPERATOR)
    found = rejudge(by_us, good, Facts(OtherUse.OTHER_READER, R))
    assert word(found)[2:] == (Difference.ANSWER_IGNORED, Liable.OPERATOR)


def test_a_good_code_refused_without_a_reason_of_its_own_is_the_operators(good: Judged) -> None:
    for reason, other_list, differs in (
        (Reason.CODE_STALE, True, True),
        (Reason.DENIED, False, True),
        (Reason.DENIED, True, False),
        (Reason.UNKNOWN_KEY, True, False),
        (Reason.CEILING_TOO_LOW, False, False),
        (Reason.STORE_FULL, False, False),
    ):
        found = rejudge(Deed(R, reason), good, Facts(other_list=other_list))
        assert (found.difference is Difference.REFUSED_GOOD) == differs, reason


def test_who_did_not_pass_has_no_journey_and_a_forced_gate_is_the_riders(good: Judged) -> None:
    for passage in (Passage.NOT_PASSED, Passage.TIMED_OUT):
        found = rejudge(Deed(A, passage=passage), good, Facts())
        assert word(found) == (R, str(passage), None, None)
    assert rejudge(Deed(A, passage=Passage.PASSED), good, Facts()).decision is A
    forced = Deed(R, Reason.PASSBACK, passage=Passage.FORCED_OPEN)
    assert word(rejudge(forced, good, Facts()))[2:] == (Difference.FORCED_OPEN, Liable.RIDER)
    unknown = rejudge(forced, bad(Reason.UNREADABLE), Facts())
    assert word(unknown)[2:] == (Difference.FORCED_OPEN, Liable.OPERATOR)


def test_open_gates_and_readers_out_of_service(good: Judged) -> None:
    shown = Deed(A, mode=Mode.LOCAL)
    assert word(rejudge(shown, bad(Reason.CODE_STALE), Facts())) == (R, "code_stale", None, None)
    assert word(rejudge(shown, good, Facts(OtherUse.SAME_READER))) == (R, "replay", None, None)
    gone = rejudge(OPENED, good, Facts(decommissioned=True))
    assert word(gone)[2:] == (Difference.AFTER_DECOMMISSIONING, Liable.OPERATOR)
    assert rejudge(Deed(R, Reason.DENIED), good, Facts(decommissioned=True)).difference is None


def test_what_a_list_could_know_is_decided_by_its_times_and_the_readers_doubt() -> None:
    told = datetime(2026, 11, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    use_by = told + timedelta(hours=1)
    old, new = HeldList(told - second, use_by), HeldList(told, use_by)
    assert knowledge(new, told, told, 0) is Knowledge.KNEW
    assert knowledge(old, told, use_by - second, 0) is Knowledge.COULD_NOT_KNOW
    assert knowledge(old, told, use_by, 0) is Knowledge.STALE
    assert knowledge(old, told, use_by, 1) is Knowledge.COULD_NOT_KNOW
    assert knowledge(old, told, use_by + 300 * second, 9999) is Knowledge.STALE
    assert knowledge(None, told, use_by, 0) is Knowledge.NEVER_PUBLISHED
    assert knowledge(None, told, use_by, 0, said_stale=True) is Knowledge.STALE
    assert knowledge(HeldList(), told, use_by, 0) is Knowledge.COULD_NOT_KNOW
    assert knowledge(HeldList(), told, use_by, 0, said_stale=True) is Knowledge.STALE


def test_each_difference_stands_in_the_page_with_its_liable_party() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name: liable.split(";")[0] for name, liable in rows} == {
        str(difference): str(LIABLE[difference]) for difference in Difference
    }


def test_a_clock_beyond_the_cap_is_the_operators() -> None:
    for doubt, difference in ((300, None), (301, Difference.CLOCK_BEYOND_CAP)):
        scheme = Scheme()
        verdict = scheme.judge(scheme.code(), at=AT, uncertainty_s=doubt)
        assert rejudge(OPENED, Judged(verdict), Facts()).difference is difference
