"""Codes that are too old, too new, or dated around a year's end and a leap day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ride_code_scheme import NOW, Scheme

from transitpay.ride_code.layout import AUTHORISATION_LENGTH, encode, encode_authorisation
from transitpay.ride_code.verdict import Accepted
from transitpay.taps import Direction

DAY, YEAR = 86400, 365 * 86400


@pytest.mark.parametrize(
    ("age_s", "uncertainty_s", "reason"),
    [
        (59, 0, "accepted"), (60, 0, "accepted"), (61, 0, "code_stale"),
        (69, 10, "accepted"), (70, 10, "accepted"), (71, 10, "code_stale"),
        (360, 300, "accepted"), (361, 300, "code_stale"),
        (360, 301, "accepted:clock_fault"), (361, 301, "code_stale"),
        (361, 10**9, "code_stale"), (60, -5, "accepted"), (61, -5, "code_stale"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("direction", [Direction.ENTRY, Direction.EXIT])
def test_case_04_a_screenshot_lives_sixty_seconds_and_what_the_reader_doubts(
    scheme: Scheme, age_s: int, uncertainty_s: int, reason: str, direction: Direction
) -> None:
    code, reader = scheme.code(age_s=age_s), scheme.reader(direction=direction)
    assert scheme.reason(code, reader=reader, uncertainty_s=uncertainty_s) == reason


@pytest.mark.parametrize(
    ("ahead_s", "uncertainty_s", "reason"),
    [
        (20, 0, "accepted"), (21, 0, "code_from_future"),
        (30, 10, "accepted"), (31, 10, "code_from_future"),
        (320, 300, "accepted"), (321, 300, "code_from_future"),
        (320, 10**9, "accepted:clock_fault"), (321, 10**9, "code_from_future"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("direction", [Direction.ENTRY, Direction.EXIT])
def test_case_38_a_phone_may_be_twenty_seconds_ahead(
    scheme: Scheme, ahead_s: int, uncertainty_s: int, reason: str, direction: Direction
) -> None:
    code, reader = scheme.code(age_s=-ahead_s), scheme.reader(direction=direction)
    assert scheme.reason(code, reader=reader, uncertainty_s=uncertainty_s) == reason


@pytest.mark.parametrize("ahead_s", [60, 600, DAY, 2 * DAY, 2**32 - 1 - NOW])
def test_case_12_codes_drawn_for_later_are_refused_now_and_at_the_best_lie_of_the_clock(
    scheme: Scheme, ahead_s: int
) -> None:
    code = scheme.code(age_s=-ahead_s, life_h=168)
    expected = "authorisation_expired" if ahead_s > 7 * DAY else "code_from_future"
    assert scheme.reason(code) == expected
    if ahead_s > 320:
        assert scheme.reason(code, uncertainty_s=10**9) == expected


def test_case_12_a_code_drawn_for_tomorrow_needs_a_permission_that_lasts_until_then(
    scheme: Scheme,
) -> None:
    code = scheme.code(age_s=-DAY, life_h=1)
    then = datetime.fromtimestamp(NOW + DAY, UTC)
    assert scheme.reason(code, at=then, trust=scheme.trust()) == "authorisation_expired"


@pytest.mark.parametrize(
    ("drawn", "scanned"),
    [
        ("2026-12-31T23:59:59", "2027-01-01T00:00:01"),
        ("2027-01-01T00:00:05", "2026-12-31T23:59:59"),
        ("2028-02-28T23:59:59", "2028-02-29T00:00:00"),
        ("2028-02-29T23:59:59", "2028-03-01T00:00:30"),
        ("2027-02-28T23:59:59", "2027-03-01T00:00:30"),
    ],
)
def test_case_13_a_year_end_and_a_leap_day_are_seconds_like_others(
    scheme: Scheme, drawn: str, scanned: str
) -> None:
    at = datetime.fromisoformat(f"{scanned}+00:00")
    made = int(datetime.fromisoformat(f"{drawn}+00:00").timestamp())
    begin = made - 3600
    code = scheme.code(age_s=NOW - made, not_before=begin)
    trust = scheme.trust(not_before=at - timedelta(2), not_after=at + timedelta(2))
    assert scheme.reason(code, at=at, trust=trust) == "accepted"


@pytest.mark.parametrize("years", [YEAR, YEAR + DAY, 4 * YEAR + DAY])
def test_case_13_a_code_of_the_same_second_a_year_ago_is_stale(scheme: Scheme, years: int) -> None:
    code = scheme.code(age_s=years, not_before=NOW - years - 60)
    assert scheme.reason(code) == "code_stale"
    ahead = scheme.code(age_s=-years, not_before=NOW + years - 60)
    assert scheme.reason(ahead) == "code_from_future"


def test_lesson_3_every_code_carries_its_second_with_the_year(scheme: Scheme) -> None:
    code = scheme.code()
    assert len(encode(code)) == 200 and len(encode_authorisation(code.authorisation)) == 65
    data = bytearray(encode(code))
    data[129:133] = bytes(4)  # the nearest thing to a code without a time
    assert scheme.reason(bytes(data)) == "authorisation_not_yet_valid"
    found = scheme.judge(code)
    assert isinstance(found, Accepted) and found.code.generated_at == NOW - 5
    assert AUTHORISATION_LENGTH == 65
