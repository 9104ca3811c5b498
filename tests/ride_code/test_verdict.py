"""A code is judged the same everywhere: each rule at both edges, each refusal once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from ride_code_scheme import AT, NOW, Scheme

from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD, Money
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.layout import encode, write_text
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.trust_list import KeyStatus, TrustList
from transitpay.ride_code.verdict import (
    Accepted,
    Admitted,
    EarlierUse,
    KnownState,
    ReaderRules,
    Rejected,
    ReplayKey,
    admit,
)
from transitpay.taps import Direction, RiderRef

EXIT = {"direction": Direction.EXIT}


def test_a_good_code_is_accepted_with_its_rider_and_replay_key(scheme: Scheme) -> None:
    code = scheme.code(slot=1, counter=7)
    found = scheme.judge(code)
    assert isinstance(found, Accepted)
    assert found.code == code and found.issuer == "alipayhk" and found.flags == ()
    assert found.rider == RiderRef("alipayhk", "0011223344556677", 1)
    it = code.authorisation
    assert found.replay_key == ReplayKey(it.device_key, it.not_before, 5, 7)


def test_an_ed25519_issuer_is_accepted_too(scheme: Scheme) -> None:
    found = scheme.judge(scheme.code(key_id=2))
    assert isinstance(found, Accepted) and found.issuer == "alipay"


def test_fractions_of_the_scan_second_are_dropped(scheme: Scheme) -> None:
    code = scheme.code(age_s=60)
    assert scheme.reason(code, at=AT + timedelta(microseconds=999_999)) == "accepted"
    assert scheme.reason(code, at=AT + timedelta(seconds=1)) == "code_stale"


@pytest.mark.parametrize(
    ("life_s", "setting_s", "age_s", "reason"),
    [
        (30, 60, 30, "accepted"), (30, 60, 31, "code_stale"),
        (600, 60, 61, "code_stale"),
        (600, 600, 600, "accepted"), (600, 600, 601, "code_stale"),
        (5, 600, 5, "accepted"), (5, 600, 6, "code_stale"),
    ],
)  # fmt: skip
def test_the_shorter_of_the_readers_limit_and_the_codes_own_life_holds(
    scheme: Scheme, life_s: int, setting_s: int, age_s: int, reason: str
) -> None:
    code = scheme.code(code_life_s=life_s, age_s=age_s)
    assert scheme.reason(code, reader=scheme.reader(max_age_s=setting_s)) == reason


def test_an_authorisation_holds_from_its_first_second_until_before_its_last(
    scheme: Scheme,
) -> None:
    assert scheme.reason(scheme.code(not_before=NOW, age_s=0)) == "accepted"
    assert scheme.reason(scheme.code(not_before=NOW + 1, age_s=0)) == "authorisation_not_yet_valid"
    start = NOW - 3600
    assert scheme.reason(scheme.code(not_before=start + 1, life_h=1, age_s=0)) == "accepted"
    assert scheme.reason(scheme.code(not_before=start, life_h=1, age_s=0)) == (
        "authorisation_expired"
    )


def test_a_key_holds_from_not_before_until_before_not_after(scheme: Scheme) -> None:
    code, second = scheme.code(), timedelta(seconds=1)
    assert scheme.reason(code, trust=scheme.trust(not_before=AT)) == "accepted"
    assert scheme.reason(code, trust=scheme.trust(not_before=AT + second)) == "key_not_yet_valid"
    assert scheme.reason(code, trust=scheme.trust(not_after=AT + second)) == "accepted"
    assert scheme.reason(code, trust=scheme.trust(not_after=AT)) == "key_expired"


def test_a_retired_key_still_verifies_and_a_compromised_one_never(scheme: Scheme) -> None:
    code = scheme.code()
    assert scheme.reason(code, trust=scheme.trust(status=KeyStatus.RETIRED)) == "accepted"
    assert scheme.reason(code, trust=scheme.trust(status=KeyStatus.COMPROMISED)) == (
        "key_compromised"
    )


def test_a_test_key_is_refused_where_it_is_not_allowed(scheme: Scheme) -> None:
    trust = scheme.trust(test=True)
    assert scheme.reason(scheme.code(), trust=trust) == "test_key"
    allowed = scheme.reader(test_keys_allowed=True)
    assert scheme.reason(scheme.code(), trust=trust, reader=allowed) == "accepted"


def test_the_destination_must_be_this_one_and_allowed_twice(scheme: Scheme) -> None:
    assert scheme.reason(scheme.code(destination=1)) == "wrong_destination"
    assert scheme.reason(scheme.code(destinations=0b10)) == "destination_not_allowed"
    narrow = scheme.trust(destinations=0b10)
    assert scheme.reason(scheme.code(), trust=narrow) == "destination_not_allowed"
    far = scheme.reader(destination=15)
    assert scheme.reason(scheme.code(destination=15, destinations=1 << 15), reader=far) == (
        "destination_not_allowed"
    )
    everywhere = scheme.trust(destinations=0xFFFF)
    code = scheme.code(destination=15, destinations=1 << 15)
    assert scheme.reason(code, reader=far, trust=everywhere) == "accepted"


@pytest.mark.parametrize("mode", [2, 3, 4, 5, 6, 7])
def test_a_mode_outside_either_bitmap_is_refused(scheme: Scheme, mode: int) -> None:
    there = scheme.reader(mode=mode)
    assert scheme.reason(scheme.code(modes=0xFF), reader=there) == "mode_not_allowed"
    assert scheme.reason(scheme.code(), reader=there, trust=scheme.trust(modes=0xFF)) == (
        "mode_not_allowed"
    )
    both = scheme.trust(modes=0xFF)
    assert scheme.reason(scheme.code(modes=0xFF), reader=there, trust=both) == "accepted"


def test_companions_hold_to_the_authorisation(scheme: Scheme) -> None:
    assert scheme.reason(scheme.code(slot=1, max_companions=1)) == "accepted"
    assert scheme.reason(scheme.code(slot=2, max_companions=1)) == "companion_not_allowed"


def test_an_excluded_service_refuses(scheme: Scheme) -> None:
    assert scheme.reason(scheme.code(), reader=scheme.reader(service_excluded=True)) == (
        "service_excluded"
    )


def test_a_denied_serial_is_refused_and_the_next_one_is_released(scheme: Scheme) -> None:
    deny = DenyList(3, {("alipayhk", "0011223344556677"): 5})
    assert scheme.reason(scheme.code(serial=4), deny=deny) == "denied"
    assert scheme.reason(scheme.code(serial=5), deny=deny) == "denied"
    assert scheme.reason(scheme.code(serial=6), deny=deny) == "accepted"
    assert scheme.reason(scheme.code(key_id=2, serial=5), deny=deny) == "accepted"


def test_the_quota_is_the_highest_counter(scheme: Scheme) -> None:
    assert scheme.reason(scheme.code(counter=2000)) == "accepted"
    assert scheme.reason(scheme.code(counter=2001)) == "quota_exceeded"
    assert scheme.reason(scheme.code(counter=65535, quota=65535)) == "accepted"


def test_the_ceiling_is_compared_in_its_own_currency(scheme: Scheme) -> None:
    reader = scheme.reader(highest_fare=Money(20000, HKD))
    assert scheme.reason(scheme.code(), reader=reader) == "accepted"
    dearer = scheme.reader(highest_fare=Money(20001, HKD))
    assert scheme.reason(scheme.code(), reader=dearer) == "ceiling_too_low"
    in_cny = scheme.code(ceiling_currency=CNY, ceiling_major=5)
    assert scheme.reason(in_cny, reader=dearer) == "accepted"
    both = scheme.reader(highest_fare=Money(20001, HKD), other_highest_fares=(Money(501, CNY),))
    assert scheme.reason(in_cny, reader=both) == "ceiling_too_low"


def test_a_reader_tells_the_highest_fare_of_a_currency_once(scheme: Scheme) -> None:
    with pytest.raises(MalformedInput) as caught:
        scheme.reader(highest_fare=Money(1, HKD), other_highest_fares=(Money(2, HKD),))
    assert (caught.value.code, caught.value.field) == ("bad_reader_rules", "highest_fares")


def test_an_unknown_key_id_is_refused(scheme: Scheme) -> None:
    empty = TrustList.of(9, [])
    found = scheme.judge(scheme.code(), trust=empty)
    assert isinstance(found, Rejected)
    assert found.reason is Reason.UNKNOWN_KEY and found.code is not None


def test_a_refusal_of_unread_bytes_carries_no_code(scheme: Scheme) -> None:
    assert scheme.judge("TP1:") == Rejected(Reason.UNREADABLE, None)
    assert scheme.judge(b"\x02" + scheme.data()[1:]) == Rejected(Reason.UNKNOWN_VERSION, None)


OPENED = [
    ("wrong_destination", {"destination": 1}, {}, {}),
    ("destination_not_allowed", {"destinations": 2}, {}, {}),
    ("mode_not_allowed", {"modes": 2}, {}, {}),
    ("companion_not_allowed", {"slot": 2, "max_companions": 0}, {}, {}),
    ("service_excluded", {}, {"service_excluded": True}, {}),
    ("quota_exceeded", {"counter": 2001}, {}, {}),
    ("ceiling_too_low", {}, {"highest_fare": Money(10**7, HKD)}, {}),
]


@pytest.mark.parametrize(("reason", "code", "reader", "key"), OPENED)
@pytest.mark.parametrize("direction", list(Direction))
def test_an_exit_opens_and_flags_what_an_entry_refuses(
    scheme: Scheme,
    reason: str,
    code: dict[str, object],
    reader: dict[str, object],
    key: dict[str, object],
    direction: Direction,
) -> None:
    rules = scheme.reader(direction=direction, **reader)
    found = scheme.reason(scheme.code(**code), reader=rules)  # type: ignore[arg-type] # table
    leaving = direction in (Direction.EXIT, Direction.ALIGHT)
    assert found == (f"accepted:{reason}" if leaving else reason)


def test_an_exit_flags_everything_in_the_order_of_reasons(scheme: Scheme) -> None:
    deny = DenyList(1, {("alipayhk", "0011223344556677"): 9})
    code = scheme.code(destination=1, counter=2001, modes=0)
    assert scheme.reason(code, deny=deny, reader=scheme.reader(**EXIT)) == (
        "accepted:wrong_destination:mode_not_allowed:denied:quota_exceeded"
    )


def test_an_exit_still_refuses_what_proves_no_ride(scheme: Scheme) -> None:
    leaving = scheme.reader(**EXIT)
    data = scheme.data(destination=1)
    assert scheme.reason(data[:-1] + bytes([data[-1] ^ 1]), reader=leaving) == (
        "bad_device_signature"
    )
    assert scheme.reason(scheme.code(age_s=61, destination=1), reader=leaving) == "code_stale"
    assert scheme.reason(scheme.code(age_s=-21), reader=leaving) == "code_from_future"
    assert scheme.reason(scheme.code(), trust=TrustList.of(1, []), reader=leaving) == (
        "unknown_key"
    )


def test_an_exit_opens_for_an_expired_authorisation_until_the_overstay_limit(
    scheme: Scheme,
) -> None:
    leaving = scheme.reader(**EXIT, overstay_s=9000)
    just = scheme.code(not_before=NOW - 3600 - 8999, life_h=1, age_s=0)
    late = scheme.code(not_before=NOW - 3600 - 9000, life_h=1, age_s=0)
    assert scheme.reason(just, reader=leaving) == "accepted:authorisation_expired"
    assert scheme.reason(late, reader=leaving) == "authorisation_expired"


def test_an_exit_opens_for_a_key_lost_after_the_possible_entry(scheme: Scheme) -> None:
    leaving, second = scheme.reader(**EXIT, overstay_s=9000), timedelta(seconds=1)
    limit = timedelta(seconds=9000)

    def revoked(since: object) -> TrustList:
        return scheme.trust(status=KeyStatus.COMPROMISED, compromised_at=since)

    code = scheme.code()
    assert scheme.reason(code, trust=revoked(AT - limit + second), reader=leaving) == (
        "accepted:key_compromised"
    )
    assert scheme.reason(code, trust=revoked(AT - limit), reader=leaving) == "key_compromised"
    assert scheme.reason(code, trust=revoked(None), reader=leaving) == "key_compromised"
    expired = scheme.trust(not_after=AT - limit + second)
    assert scheme.reason(code, trust=expired, reader=leaving) == "accepted:key_expired"
    assert scheme.reason(code, trust=scheme.trust(not_after=AT - limit), reader=leaving) == (
        "key_expired"
    )


def test_admission_adds_what_the_tier_remembers(scheme: Scheme) -> None:
    accepted = scheme.judge(scheme.code())
    assert isinstance(accepted, Accepted)
    assert admit(accepted, KnownState()) == Admitted(accepted, ())

    def reason(state: KnownState) -> Reason:
        found = admit(accepted, state)
        assert isinstance(found, Rejected) and found.code == accepted.code
        return found.reason

    assert reason(KnownState(EarlierUse.OTHER_SCAN)) is Reason.REPLAY
    again = KnownState(EarlierUse.SAME_READER_WITHIN_DEBOUNCE, passback=True)
    assert reason(again) is Reason.ALREADY_ANSWERED
    assert reason(KnownState(passback=True)) is Reason.PASSBACK
    assert reason(KnownState(EarlierUse.OTHER_SCAN, passback=True)) is Reason.REPLAY


def test_a_missing_entry_is_flagged_in_order(scheme: Scheme) -> None:
    accepted = scheme.judge(
        scheme.code(counter=2001), reader=scheme.reader(**EXIT), uncertainty_s=301
    )
    assert isinstance(accepted, Accepted)
    found = admit(accepted, KnownState(missing_entry=True))
    assert isinstance(found, Admitted)
    assert found.flags == (Reason.QUOTA_EXCEEDED, Reason.MISSING_ENTRY, Reason.CLOCK_FAULT)


@pytest.mark.parametrize(
    "change",
    [{"destination": 16}, {"destination": -1}, {"mode": 8}, {"max_age_s": 0}, {"max_age_s": 601}],
)
def test_reader_rules_outside_their_range_are_refused_by_name(change: dict[str, int]) -> None:
    with pytest.raises(Exception, match=next(iter(change))) as caught:
        replace(ReaderRules(0, 0, Direction.ENTRY), **change)
    assert getattr(caught.value, "code", None) == "bad_reader_rules"


def test_both_earliest_and_latest_times_are_judged_without_overflow(scheme: Scheme) -> None:
    last = scheme.code(not_before=(1 << 32) - 1, life_h=168)
    assert scheme.reason(last) == "authorisation_not_yet_valid"
    assert scheme.reason(scheme.code(not_before=0, life_h=1)) == "authorisation_expired"
    data = bytearray(encode(scheme.code()))
    data[129:133] = b"\xff\xff\xff\xff"
    assert scheme.reason(write_text(bytes(data))) == "authorisation_expired"
