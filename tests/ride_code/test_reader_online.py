"""A reader that asks: whoever decides in time decides, and the record says who it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reader_rig import CONFIG, Rig
from ride_code_scheme import Scheme

from transitpay.ride_code.reader import Signal
from transitpay.ride_code.records.record import DecidedBy, Decision


@pytest.fixture
def rig(scheme: Scheme) -> Rig:
    return Rig(scheme, {**CONFIG, "budget_ms": "200", "passback_s": "300"})


def answer(rig: Rig, decision: str = "accepted", reason: str | None = None, **more: Any) -> bytes:
    told = {
        "sequence": rig.asks[-1].sequence, "decision": decision, "reason": reason,
        "open": decision == "accepted", "signal": "green", "text": {}, "flags": [], **more,
    }  # fmt: skip
    return json.dumps(told).encode()


def test_an_answer_in_time_decides_and_is_on_the_disk_before_the_gate_opens(rig: Rig) -> None:
    assert rig.scan(rig.text()) == "waiting" and rig.scans() == []
    rig.pass_time(0.199)
    assert rig.hear(200, answer(rig, flags=["missing_entry", "reader_differed"])) == (
        "open:missing_entry"
    )
    (it,) = rig.scans()
    assert it.decided_by is DecidedBy.GATEWAY
    assert rig.shown[-1].signal is Signal.AMBER


def test_the_question_is_the_request_of_the_record(rig: Rig) -> None:
    rig.scan(rig.text())
    asked = json.loads(rig.asks[-1].body)
    rig.hear(200, answer(rig))
    (it,) = rig.scans()
    assert asked == {
        "sequence": it.sequence, "at": it.at.isoformat(), "uncertainty_s": it.uncertainty_s,
        "code": it.code.decode(), "direction": "entry", "stop": "HUH",
    }  # fmt: skip
    assert rig.asks[-1].timeout_ms == 200


def test_without_an_answer_the_reader_decides_at_the_end_of_its_budget(rig: Rig) -> None:
    rig.scan(rig.text())
    assert rig.reader.next_deadline_ms() == rig.mono + 200
    rig.pass_time(0.199)
    rig.do(rig.reader.tick(rig.now))
    assert rig.opened == []
    rig.pass_time(0.001)
    rig.do(rig.reader.tick(rig.now))
    assert rig.opened == [rig.scans()[0].sequence]
    assert rig.scans()[0].decided_by is DecidedBy.READER
    assert rig.reader.next_deadline_ms() is None


def test_a_code_that_was_accepted_here_is_never_asked_about_again(rig: Rig) -> None:
    code = rig.text()
    rig.scan(code)
    assert rig.hear(200, answer(rig)) == "open"
    for s, reason in [(3.0, "replay"), (3600.0, "code_stale")]:  # spent, and past its life
        rig.pass_time(s)
        assert rig.scan(code) == reason and len(rig.asks) == 1
    rig.start()
    assert rig.scan(code) == "code_stale" and len(rig.asks) == 1


def test_an_expired_code_that_was_not_accepted_here_is_asked_about(rig: Rig) -> None:
    """Our clock may be the wrong one: the gateway knows."""
    code = rig.text()
    rig.pass_time(3600.0)
    assert rig.scan(code) == "waiting"
    assert rig.hear(200, answer(rig)) == "open"


@pytest.mark.parametrize("late", ["refused", "accepted"])
def test_a_late_answer_is_never_acted_on(rig: Rig, late: str) -> None:
    rig.scan(rig.text() if late == "refused" else b"no code")
    body = answer(rig, late, "denied" if late == "refused" else None)
    rig.pass_time(0.2)
    opened = rig.hear(200, body)
    assert opened == ("open" if late == "refused" else "unreadable")
    assert rig.hear(200, body) == "waiting" and len(rig.scans()) == 1
    assert rig.reader.late_answers == 2


def test_a_refusal_of_the_gateway_closes_and_tells_its_reason(rig: Rig) -> None:
    rig.scan(rig.text())
    assert rig.hear(200, answer(rig, "refused", "passback")) == "passback"
    (it,) = rig.scans()
    assert (it.decided_by, it.decision) == (DecidedBy.GATEWAY, Decision.REFUSED)
    assert rig.shown[-1].signal is Signal.RED and rig.opened == []


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (201, {}), (204, {}), (503, {}), (409, {}), (401, {}),
        (200, {"open": False}), (200, {"open": "true"}), (200, {"open": 1}),
        (200, {"sequence": 7}), (200, {"decision": "redeemed"}), (200, {"decision": None}),
        (200, {"reason": "denied"}),
        (200, {"decision": "refused", "open": True, "reason": "denied"}),
        (200, {"decision": "refused", "open": False}),
        (200, {"decision": "refused", "open": False, "reason": "out_of_chocolate"}),
    ],
)  # fmt: skip
def test_what_is_no_clear_answer_opens_nothing_and_the_reader_decides_alone(
    rig: Rig, status: int, changes: dict[str, Any]
) -> None:
    rig.scan(b"no code")
    assert rig.hear(status, answer(rig, **changes)) == "unreadable"
    assert rig.scans()[-1].decided_by is DecidedBy.READER


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b"{"])
def test_a_body_that_is_no_answer_is_none(rig: Rig, body: bytes) -> None:
    rig.scan(b"no code")
    assert rig.hear(200, body) == "unreadable"


def test_a_gateway_without_its_database_makes_the_reader_decide_at_once(rig: Rig) -> None:
    rig.scan(rig.text())
    assert rig.hear(503, b'{"code": "database_unavailable"}') == "open"
    assert rig.scans()[0].decided_by is DecidedBy.READER


def test_the_breaker_skips_the_network_after_three_failures_and_probes_with_one_scan(
    rig: Rig,
) -> None:
    def fail() -> None:
        rig.pass_time(0.2)
        rig.do(rig.reader.tick(rig.now))

    for n in range(3):
        assert rig.scan(rig.text(counter=n + 1, slot=n)) == "waiting"
        fail()
    riders = iter(f"{n:016x}" for n in range(100))
    assert rig.scan(rig.text(counter=4, rider_id=next(riders))) == "open"
    rig.pass_time(4.799)
    assert rig.scan(rig.text(counter=5, rider_id=next(riders))) == "open"
    rig.pass_time(0.001 + 0.2)
    assert rig.scan(rig.text(counter=6, rider_id=next(riders))) == "waiting"  # the probe
    assert rig.scan(rig.text(counter=7, rider_id=next(riders))) == "open"  # does not wait for it
    fail()
    assert rig.scan(rig.text(counter=8, rider_id=next(riders))) == "open"
    rig.pass_time(5)
    assert rig.scan(rig.text(counter=9, rider_id=next(riders))) == "waiting"
    assert rig.hear(200, answer(rig)) == "open"
    assert rig.scan(rig.text(counter=10, rider_id=next(riders))) == "waiting"  # closed again


def test_a_good_answer_starts_the_count_of_failures_anew(rig: Rig) -> None:
    for n in range(6):
        assert rig.scan(rig.text(counter=n + 1, rider_id=f"{n:016x}")) == "waiting"
        if n == 2:
            rig.hear(200, answer(rig))
        else:
            rig.do(rig.reader.unanswered(rig.now, rig.asks[-1].sequence))
    assert len(rig.opened) == 6 and len(rig.asks) == 6
    assert rig.scan(rig.text(counter=9, rider_id="9" * 16)) == "open"


def test_the_readers_own_window_learns_what_was_accepted_online(rig: Rig) -> None:
    code = rig.text()
    rig.scan(code)
    rig.hear(200, answer(rig))
    assert rig.scan(code) == "already_answered"
    rig.pass_time(3)
    assert rig.scan(code) == "replay" and len(rig.asks) == 1
    assert rig.scan(rig.text(counter=2)) == "waiting"  # passback is the gateway's to say
    rig.pass_time(0.2)
    rig.do(rig.reader.tick(rig.now))
    assert str(rig.shown[-1].reason) == "passback"


def test_a_code_that_the_gateway_knows_as_spent_stays_spent_without_it(rig: Rig) -> None:
    code = rig.text()
    rig.scan(code)
    assert rig.hear(200, answer(rig, "refused", "replay")) == "replay"
    rig.start()
    rig.sync()
    assert rig.scan(code) == "replay" and len(rig.asks) == 1


def test_the_camera_may_see_a_code_again_while_its_answer_is_on_the_way(rig: Rig) -> None:
    code = rig.text()
    assert [rig.scan(code), rig.scan(code)] == ["waiting", "waiting"]
    assert len(rig.asks) == 1
    assert rig.hear(200, answer(rig)) == "open"
    assert len(rig.scans()) == 1


def test_two_scans_may_wait_at_once_and_each_has_its_own_answer(rig: Rig) -> None:
    rig.scan(rig.text(counter=1))
    first = answer(rig)
    rig.scan(rig.text(counter=2, rider_id="f" * 16))
    second = answer(rig, "refused", "denied")
    one, two = (ask.sequence for ask in rig.asks)
    assert rig.hear(200, second, two) == "denied"
    assert rig.hear(200, second, one) == "open"  # of another sequence: no answer; decided alone
    assert rig.scans()[1].decided_by is DecidedBy.READER
    assert rig.hear(200, first, one) == "waiting"


def test_bytes_that_no_text_can_hold_are_not_asked(rig: Rig) -> None:
    assert rig.scan(b"\xff\xfe") == "unreadable" and rig.asks == []


def test_case_46_power_lost_before_the_record_leaves_the_gate_shut_and_the_sequence_unused(
    rig: Rig,
) -> None:
    code = rig.text()
    rig.scan(code)
    asked = rig.asks[-1].sequence
    late = answer(rig)
    rig.start()  # the gateway's answer is on the way; nothing was recorded
    assert rig.hear(200, late, asked) == "waiting" and rig.opened == []
    assert rig.scan(code) == "waiting" and rig.asks[-1].sequence >> 32 == 2
    told = rig.hear(200, answer(rig, "already_answered", "already_answered"))
    assert told == "already_answered" and rig.opened == []  # the gateway's first answer stands
    assert asked not in {scan.sequence for scan in rig.scans()}
