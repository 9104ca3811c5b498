"""A reader that decides alone: replay, passback, companions, exits, lists, restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reader_rig import CONFIG, Rig
from ride_code_scheme import AT, Scheme

from transitpay.money import HKD, Money
from transitpay.ride_code import keys
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.layout import write_text
from transitpay.ride_code.reader import HeldLists, ReaderSettings, Signal, scanned
from transitpay.ride_code.records.record import (
    BootRecord,
    DecidedBy,
    Decision,
    Mode,
    OutcomeRecord,
    Passage,
    Place,
)
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import TrustList


@pytest.fixture
def rig(scheme: Scheme) -> Rig:
    return Rig(scheme)


def configured(scheme: Scheme, **changes: str) -> Rig:
    return Rig(scheme, {**CONFIG, **changes})


def test_a_good_code_opens_once_and_its_record_says_all_of_it(rig: Rig) -> None:
    place = Place("HUH", "1A", "v2", "bus 9", "t7", 3)
    code = rig.text()
    assert rig.scan(code, place=place) == "open"
    (it,) = rig.scans()
    assert (it.code, it.place, it.sequence) == (code, place, (1 << 32) + 1)
    assert (it.decided_by, it.decision, it.mode) == (
        DecidedBy.READER, Decision.ACCEPTED, Mode.NORMAL,
    )  # fmt: skip
    assert (it.versions.trust, it.versions.deny, it.versions.config) == (1, 4, 9)
    assert rig.shown[-1].signal is Signal.GREEN


def test_readers_that_share_a_cache_share_valid_signatures_and_nothing_else(scheme: Scheme) -> None:
    cache = SignatureCache()
    first, second = Rig(scheme, cache=cache), Rig(scheme, cache=cache)
    code = first.text()
    assert first.scan(code) == "open"
    assert len(cache) == 1
    assert second.scan(code) == "open", "what was spent at one reader is no news to the other"
    assert len(cache) == 1
    assert second.lists is not None
    second.reader.hold(replace(second.lists, trust=TrustList.of(2, [])))
    assert second.scan(first.text()) == "unknown_key"


def test_case_01_the_same_code_within_the_debounce_is_answered_again_and_opens_nothing(
    rig: Rig,
) -> None:
    code = rig.text()
    assert rig.scan(code) == "open"
    first = rig.shown[-1]
    rig.pass_time(0.2)
    assert rig.scan(code) == "already_answered"
    again = rig.shown[-1]
    assert (again.signal, again.texts) == (first.signal, first.texts)
    assert len(rig.opened) == 1
    assert [s.decision for s in rig.scans()] == [Decision.ACCEPTED, Decision.ALREADY_ANSWERED]


def test_the_debounce_ends_at_its_edge(rig: Rig) -> None:
    code = rig.text()
    assert rig.scan(code) == "open"
    rig.pass_time(2.0)
    assert rig.scan(code) == "already_answered"
    rig.pass_time(0.001)
    assert rig.scan(code) == "replay"
    assert len(rig.opened) == 1


def test_case_03_the_code_of_the_entry_does_not_open_the_exit_of_the_same_reader(
    scheme: Scheme,
) -> None:
    rig = Rig(scheme)
    code = rig.text()
    assert rig.scan(code) == "open"
    rig.config["direction"] = "exit"  # a two-way gate is turned round
    rig.start()
    rig.sync()
    rig.pass_time(3)
    assert rig.scan(code) == "replay"
    assert rig.scan(rig.text(counter=2)) == "open"


def test_case_05_an_older_code_is_still_known_after_another_one(rig: Rig) -> None:
    a, b = rig.text(counter=1), rig.text(counter=2)
    assert [rig.scan(a), rig.scan(b)] == ["open", "open"]
    rig.pass_time(3)
    assert [rig.scan(a), rig.scan(b)] == ["replay", "replay"]


def test_case_06_a_replay_is_found_after_a_restart(rig: Rig) -> None:
    a, b, c = (rig.text(counter=n) for n in (1, 2, 3))
    assert [rig.scan(a), rig.scan(b)] == ["open", "open"]
    rig.pass_time(3)
    rig.start()
    rig.sync()
    assert [rig.scan(a), rig.scan(c), rig.scan(b)] == ["replay", "open", "replay"]


def test_no_sequence_is_used_twice_over_a_restart(rig: Rig) -> None:
    rig.scan(rig.text(counter=1))
    rig.start()
    rig.scan(rig.text(counter=2))
    assert [s.sequence for s in rig.scans()] == [(1 << 32) + 1, (2 << 32) + 1]
    boots = [r for r in rig.records if isinstance(r, BootRecord)]
    assert [(b.boot, b.clean) for b in boots] == [(1, True), (2, False)]


def test_the_window_forgets_the_oldest_code_and_no_other(rig: Rig) -> None:
    rig.reader.window.limit = 2
    codes = [rig.text(counter=n) for n in (1, 2, 3)]
    assert [rig.scan(code) for code in codes] == ["open"] * 3
    rig.pass_time(3)
    assert [rig.scan(code) for code in codes[1:]] == ["replay", "replay"]
    assert len(rig.reader.window) == 2


def test_passback_is_counted_per_rider_and_slot_and_ends_at_its_edge(scheme: Scheme) -> None:
    rig = configured(scheme, passback_s="30", max_age_s="60")
    assert rig.scan(rig.text(counter=1)) == "open"
    rig.pass_time(29.999)
    assert rig.scan(rig.text(counter=2, age_s=-20)) == "passback"
    assert rig.scan(rig.text(counter=3, age_s=-20, slot=1)) == "open"
    assert rig.scan(rig.text(counter=4, age_s=-20, rider_id="f" * 16)) == "open"
    rig.pass_time(0.001)
    assert rig.scan(rig.text(counter=5, age_s=-25)) == "open"


def test_a_code_refused_for_passback_is_not_spent(scheme: Scheme) -> None:
    rig = configured(scheme, passback_s="3")
    late = rig.text(counter=2, age_s=0)
    assert rig.scan(rig.text(counter=1)) == "open"
    assert rig.scan(late) == "passback"
    rig.pass_time(3)
    assert rig.scan(late) == "open"


def test_passback_survives_a_restart_and_never_holds_at_an_exit(scheme: Scheme) -> None:
    rig = configured(scheme, passback_s="300")
    assert rig.scan(rig.text(counter=1)) == "open"
    rig.start()
    rig.sync()
    assert rig.scan(rig.text(counter=2)) == "passback"
    rig.config["direction"] = "exit"
    rig.start()
    rig.sync()
    assert rig.scan(rig.text(counter=2)) == "open"


@pytest.mark.parametrize(
    ("passage", "then"),
    [
        (Passage.NOT_PASSED, "open"), (Passage.TIMED_OUT, "open"),
        (Passage.PASSED, "passback"), (Passage.FORCED_OPEN, "passback"),
    ],
)  # fmt: skip
def test_who_did_not_pass_may_try_again_with_a_fresh_code(
    scheme: Scheme, passage: Passage, then: str
) -> None:
    rig = configured(scheme, passback_s="300")
    shown = rig.text(counter=1)
    assert rig.scan(shown) == "open"
    rig.do(rig.reader.passage(rig.now, rig.opened[-1], passage))
    told = rig.records[-1]
    assert isinstance(told, OutcomeRecord)
    assert (told.sequence, told.passage) == (rig.opened[-1], passage)
    rig.pass_time(3)
    rig.start()  # and the record alone is enough to know it
    rig.sync()
    assert rig.scan(shown) == "replay"
    assert rig.scan(rig.text(counter=2)) == then


def test_case_11_a_companion_needs_a_code_of_its_own_and_slot_three_is_no_code(
    scheme: Scheme,
) -> None:
    rig = configured(scheme, passback_s="300")
    assert [rig.scan(rig.text(counter=n + 1, slot=n)) for n in (0, 1, 2)] == ["open"] * 3
    rig.pass_time(3)
    assert rig.scan(rig.text(counter=2, slot=1)) == "replay"
    assert rig.scan(rig.text(counter=9, slot=1)) == "passback"
    few = rig.text(counter=4, slot=2, max_companions=1)
    assert rig.scan(few) == "companion_not_allowed"
    data = bytearray(scheme.data(counter=5))
    data[135] |= 3 << 2
    assert rig.scan(write_text(bytes(data)).encode()) == "unreadable"


@pytest.mark.parametrize(
    ("counter", "direction", "said"),
    [
        (2000, "entry", "open"), (2001, "entry", "quota_exceeded"),
        (2001, "exit", "open:quota_exceeded"),
    ],
)  # fmt: skip
def test_case_35_the_offline_quota_ends_at_its_number_and_lets_nobody_stay_inside(
    scheme: Scheme, counter: int, direction: str, said: str
) -> None:
    rig = configured(scheme, direction=direction)
    assert rig.scan(rig.text(counter=counter)) == said


def test_an_exit_opens_for_what_is_settled_later_and_for_no_forgery(scheme: Scheme) -> None:
    rig = configured(scheme, direction="exit")
    rig.reader.hold(rig.held(DenyList(5, {("alipayhk", "0011223344556677"): 5})))
    assert rig.scan(rig.text(counter=1)) == "open:denied"
    assert rig.shown[-1].signal is Signal.AMBER
    assert rig.scan(rig.text(counter=2, destination=1)) == "open:wrong_destination:denied"
    stranger = keys.generate_issuer_key()
    assert rig.scan(rig.text(counter=3, issuer_key=stranger)) == "bad_issuer_signature"
    assert rig.scan(rig.text(counter=4, age_s=61)) == "code_stale"


def test_a_denied_rider_is_released_by_the_next_serial(rig: Rig) -> None:
    rig.reader.hold(rig.held(DenyList(5, {("alipayhk", "0011223344556677"): 5})))
    assert rig.scan(rig.text(counter=1)) == "denied"
    assert rig.scan(rig.text(counter=1, serial=6)) == "open"
    assert rig.scans()[-1].versions.deny == 5


def test_the_ceiling_is_compared_with_the_highest_fare_at_an_entry_only(scheme: Scheme) -> None:
    entry = {"highest_fare.HKD": "20001", "highest_fare.CNY": "100"}
    assert configured(scheme, **entry).scan(Rig(scheme).text()) == "ceiling_too_low"
    assert Rig(scheme, {**CONFIG, "highest_fare.HKD": "20000"}).scan(Rig(scheme).text()) == "open"
    out = Rig(scheme, {**CONFIG, **entry, "direction": "exit"})
    assert out.scan(out.text()) == "open:ceiling_too_low"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "list_stale"),  # no highest fare is known: no risk is taken
        ({"highest_fare.HKD": "2000"}, "open:list_stale"),
        ({"highest_fare.HKD": "2001"}, "list_stale"),
        ({"highest_fare.HKD": "2001", "stale_ceiling.HKD": "2001"}, "open:list_stale"),
        ({"highest_fare.CNY": "100"}, "list_stale"),
        ({"highest_fare.HKD": "1", "stale_lists": "close"}, "list_stale"),
        ({"stale_lists": "close", "direction": "exit"}, "open:list_stale"),
    ],
)  # fmt: skip
def test_stale_lists_follow_their_policy(scheme: Scheme, config: dict[str, str], said: str) -> None:
    rig = configured(scheme, **config)
    rig.reader.hold(rig.held(deny_use_by=AT + timedelta(seconds=1)))
    assert rig.scan(rig.text(counter=1)) == "open"
    rig.pass_time(1)
    assert rig.scan(rig.text(counter=2)) == said


def test_a_reader_without_lists_opens_for_nobody(rig: Rig) -> None:
    rig.reader.hold(HeldLists.of(None, None, None))
    assert rig.scan(rig.text()) == "unknown_key"
    assert rig.scans()[-1].versions.trust == 0


def test_open_gates_stay_open_and_shown_codes_are_kept_with_their_mode(rig: Rig) -> None:
    rig.do(rig.reader.open_locally(rig.now, True))
    rig.do(rig.reader.open_locally(rig.now, True))
    assert rig.holds == [False, True]
    assert rig.scan(rig.text(counter=1)) == "None" and rig.opened == []
    assert rig.shown[-1].signal is Signal.GREEN
    rig.do(rig.reader.open_locally(rig.now, False))
    assert rig.holds == [False, True, False]
    assert rig.scan(rig.text(counter=2)) == "open"
    assert [s.mode for s in rig.scans()] == [Mode.LOCAL, Mode.NORMAL]
    assert rig.events()[-2:] == ["local_open_begins", "local_open_ends"]


def test_through_open_gates_nobody_is_refused_for_passback(scheme: Scheme) -> None:
    rig = configured(scheme, passback_s="300")
    assert rig.scan(rig.text(counter=1)) == "open"
    rig.pass_time(5)
    assert rig.scan(rig.text(counter=2)) == "passback"
    rig.do(rig.reader.open_locally(rig.now, True))
    rig.scan(rig.text(counter=3))
    assert rig.scans()[-1].decision is Decision.ACCEPTED and rig.shown[-1].signal is Signal.GREEN
    rig.do(rig.reader.open_locally(rig.now, False))
    assert rig.scan(rig.text(counter=4)) == "passback"


def test_a_start_says_how_the_gates_stand_whatever_they_did_before(rig: Rig) -> None:
    rig.do(rig.reader.open_locally(rig.now, True))
    rig.start()
    assert rig.holds == [False, True, False]


def test_the_operators_mode_comes_with_the_config_and_the_local_one_before_it(
    scheme: Scheme,
) -> None:
    rig = configured(scheme, gates="emergency", budget_ms="200")
    assert rig.holds == [True]
    assert rig.scan(rig.text(counter=1)) == "None" and rig.asks == []
    rig.do(rig.reader.open_locally(rig.now, True))
    assert rig.scan(rig.text(counter=2)) == "None"
    rig.do(rig.reader.open_locally(rig.now, False))
    rig.do(rig.reader.configure(ReaderSettings.of(CONFIG)))
    assert rig.holds == [True, False]
    assert rig.scan(rig.text(counter=3)) == "open"
    assert [s.mode for s in rig.scans()] == [Mode.EMERGENCY, Mode.LOCAL, Mode.NORMAL]


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"TP1:", b"x" * 5000, "ＴＰ１：".encode(), b"\x00" * 304]
)
def test_whatever_a_scanner_reads_is_kept_and_refused(rig: Rig, data: bytes) -> None:
    code = scanned(data)
    assert rig.scan(code) == "unreadable"
    assert rig.scans()[-1].code == data[:2048]


def test_a_scanner_loses_one_configured_terminator_and_nothing_else(rig: Rig) -> None:
    code = rig.text()
    assert scanned(code + b"\r\n", b"\r\n") == code
    assert scanned(code + b"\r\n\r\n", b"\r\n") == code + b"\r\n"
    assert scanned(b" " + code + b"\n", b"\r\n") == b" " + code + b"\n"
    assert rig.scan(scanned(code + b"\n", b"\r\n")) == "unreadable"
    assert rig.scan(scanned(code + b"\r\n", b"\r\n")) == "open"


def test_a_fare_is_shown_only_where_it_is_final_and_never_with_a_refusal(rig: Rig) -> None:
    fare = Money(590, HKD)
    rig.scan(rig.text(counter=1), fare=fare)
    assert rig.shown[-1].fare is None and rig.scans()[-1].stage_fare_minor == 590
    rig.scan(rig.text(counter=2), fare=fare, fare_is_final=True)
    assert rig.shown[-1].fare == fare
    rig.scan(b"no code", fare=fare, fare_is_final=True)
    assert rig.shown[-1].fare is None
