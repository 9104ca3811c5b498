"""A reader's clock that is wrong: what it costs, what is told, and what can never be replayed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reader_rig import CONFIG, Rig
from ride_code_scheme import AT, Scheme

from transitpay.ride_code.reader import Now
from transitpay.ride_code.reader.own_clock import DRIFT_PPM, OwnClock, Reading

DAY_S = 86400


@pytest.fixture
def rig(scheme: Scheme) -> Rig:
    return Rig(scheme)


@pytest.mark.parametrize(
    ("wrong_s", "said", "event"),
    [
        (0, "open", False),
        (20, "open", False), (-20, "open", False),
        (300, "open", False), (-300, "open", False),
        (301, "open:clock_fault", True), (-301, "open:clock_fault", True),
        (DAY_S, "open:clock_fault", True), (-DAY_S, "open:clock_fault", True),
    ],
)  # fmt: skip
def test_case_37_a_clock_that_is_set_wrong_moves_nothing_and_is_a_reason_to_doubt(
    rig: Rig, wrong_s: int, said: str, event: bool
) -> None:
    rig.pass_time(10)
    rig.wall += timedelta(seconds=wrong_s)
    code = rig.text(age_s=0)
    assert rig.scan(code) == said
    (it,) = rig.scans()
    assert it.at == AT + timedelta(seconds=10)
    assert it.uncertainty_s >= min(abs(wrong_s), 65535)
    assert rig.events().count("clock_fault_begins") == (2 if event else 1)  # one before the sync
    rig.pass_time(3)
    assert rig.scan(code) == "replay"


@pytest.mark.parametrize(
    ("off_s", "said"),
    [
        (20, "open"), (-20, "open"), (60, "open"), (61, "code_stale"), (-21, "code_from_future"),
        (300, "code_stale"), (-300, "code_from_future"),
        (DAY_S, "code_stale"), (-DAY_S, "code_from_future"),
    ],
)  # fmt: skip
def test_case_37_a_reader_that_was_synced_wrongly_opens_for_no_stale_code(
    scheme: Scheme, off_s: int, said: str
) -> None:
    rig = Rig(scheme, wall=AT + timedelta(seconds=off_s))
    assert rig.scan(rig.text(age_s=0)) == said


def test_case_37_the_gateways_time_sets_a_wrong_clock_right_and_ends_the_fault(
    rig: Rig,
) -> None:
    rig.wall += timedelta(seconds=DAY_S)
    assert rig.scan(rig.text(counter=1)) == "open:clock_fault"
    began = rig.now
    rig.pass_time(0.5)
    rig.wall = AT + timedelta(seconds=0.25)
    body = b'{"server_time": "%s", "trust_version": 1}' % rig.wall.isoformat().encode()
    rig.do(rig.reader.beaten(rig.now, began, 200, body))
    assert rig.events()[-1] == "clock_fault_ends"
    assert rig.scan(rig.text(counter=2)) == "open"
    assert rig.scans()[-1].uncertainty_s == 1


def test_case_37_a_clock_set_back_brings_no_used_code_to_life_over_a_restart(
    rig: Rig,
) -> None:
    code = rig.text()
    assert rig.scan(code) == "open"
    rig.pass_time(3600)
    rig.wall -= timedelta(seconds=3600)
    rig.start()  # its battery clock says the hour of the scan again
    assert rig.scan(code) == "replay"
    rig.wall -= timedelta(days=400)
    rig.start()  # and now it is dead: a year ago
    assert rig.scan(code) == "replay"
    assert rig.records[-1].at >= AT and rig.records[-1].uncertainty_s == 65535
    assert rig.events()[-1] == "clock_fault_begins"


@pytest.mark.parametrize(
    ("policy", "direction", "said"),
    [
        ("open", "entry", "open:clock_fault"), ("close", "entry", "clock_fault"),
        ("close", "exit", "open:clock_fault"),
    ],
)  # fmt: skip
def test_a_clock_at_fault_follows_its_policy(
    scheme: Scheme, policy: str, direction: str, said: str
) -> None:
    rig = Rig(scheme, {**CONFIG, "clock_fault": policy, "direction": direction})
    rig.wall += timedelta(seconds=301)
    assert rig.scan(rig.text()) == said


def test_the_doubt_widens_what_is_fresh_up_to_its_cap(rig: Rig) -> None:
    rig.wall += timedelta(seconds=100)
    assert rig.scan(rig.text(counter=1, age_s=160)) == "open"
    assert rig.scan(rig.text(counter=2, age_s=161)) == "code_stale"
    rig.wall += timedelta(days=1)
    assert rig.scan(rig.text(counter=3, age_s=360)) == "open:clock_fault"
    assert rig.scan(rig.text(counter=4, age_s=361)) == "code_stale"


def test_the_doubt_grows_with_the_drift_since_the_last_sync() -> None:
    clock = OwnClock.synced(Now(AT, 0), AT, 40)

    def after(s: int) -> int:
        return clock.read(Now(AT + timedelta(seconds=s), s * 1000)).uncertainty_s

    assert DRIFT_PPM == 100
    assert [after(s) for s in (0, 9_600, 9_610, 10 * DAY_S)] == [1, 1, 2, 87]


def test_a_start_knows_its_time_by_the_last_record_and_never_goes_behind_it() -> None:
    last = Reading(AT, 5)
    asleep = OwnClock.after_start(Now(AT + timedelta(days=1), 0), last)
    assert asleep.read(Now(AT + timedelta(days=1), 0)) == Reading(AT + timedelta(days=1), 14)
    behind = OwnClock.after_start(Now(AT - timedelta(seconds=1), 0), last)
    assert behind.read(Now(AT - timedelta(seconds=1), 0)) == Reading(AT, 65535)
    unknown = OwnClock.after_start(Now(AT, 0), None)
    assert unknown.read(Now(AT, 0)).uncertainty_s == 65535


def test_a_monotonic_clock_that_goes_back_stops_our_time_and_no_more(rig: Rig) -> None:
    rig.mono -= 500
    assert rig.scan(rig.text()) == "open"
    assert rig.scans()[0].at == AT
