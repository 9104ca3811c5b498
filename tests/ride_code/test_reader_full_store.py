"""A store that fills, a disk that fails: what is warned of, refused, opened and counted."""

from __future__ import annotations

from reader_rig import CONFIG, Rig
from ride_code_scheme import Scheme

from transitpay.ride_code import keys, signing
from transitpay.ride_code.reader import Send
from transitpay.ride_code.reader.store_level import EVENTS, RESERVE, Level
from transitpay.ride_code.records.record import EventRecord
from transitpay.ride_code.records.sealed_batch import chain_end, chain_start, parse_batch


def full(scheme: Scheme, capacity: int, **changes: str) -> Rig:
    return Rig(scheme, {**CONFIG, **changes}, capacity=capacity)


def fill(rig: Rig) -> int:
    """Scan until one is refused for the store; says how many were taken."""
    for n in range(1, 1000):
        if rig.scan(rig.text(counter=n)) != "open":
            return n - 1
    raise AssertionError("the store is never full")


def test_case_45_a_full_store_closes_entries_and_overwrites_nothing(scheme: Scheme) -> None:
    rig = full(scheme, 50)
    taken = fill(rig)
    assert str(rig.shown[-1].reason) == "store_full"
    kept = list(rig.disk)
    assert len(kept) <= 50 and taken >= 50 - RESERVE - 5
    for n in range(200, 210):
        assert rig.scan(rig.text(counter=n)) == "store_full"
    assert rig.disk == kept and len(rig.opened) == taken
    assert rig.events().count("store_nearly_full") == rig.events().count("store_full") == 1


def test_case_45_by_setting_a_full_store_opens_uncharged_and_counts_it(scheme: Scheme) -> None:
    rig = full(scheme, 50, store_full="open_uncharged")
    for n in range(1, 60):
        said = rig.scan(rig.text(counter=n))
        assert said in ("open", "open:unrecorded")
    unrecorded = 59 - len(rig.scans())
    assert unrecorded > 0 and len(rig.opened) == 59
    again = rig.text(counter=59)
    rig.pass_time(3)
    assert rig.scan(again) == "replay"  # even then no code opens twice
    rig.do(rig.reader.sent(rig.now, 40))
    assert rig.scan(rig.text(counter=100)) == "open"
    told = [r for r in rig.records if isinstance(r, EventRecord)][-2:]
    assert [(str(r.kind), r.count) for r in told] == [
        ("store_has_room", 0), ("unrecorded_scans", unrecorded),
    ]  # fmt: skip


def test_case_45_nobody_is_kept_inside_by_a_full_store(scheme: Scheme) -> None:
    rig = full(scheme, 50, direction="exit")
    for n in range(1, 60):
        assert rig.scan(rig.text(counter=n)).startswith("open")
    assert len(rig.disk) <= 50


def test_the_warning_comes_at_eighty_percent_once(scheme: Scheme) -> None:
    rig = full(scheme, 100)
    waiting = len(rig.disk)
    for n in range(80 - waiting - 1):
        rig.scan(rig.text(counter=n + 1))
    assert "store_nearly_full" not in rig.events()
    rig.scan(rig.text(counter=500))
    rig.scan(rig.text(counter=501))
    assert rig.events().count("store_nearly_full") == 1


def test_an_acknowledgement_makes_room(scheme: Scheme) -> None:
    rig = full(scheme, 50)
    taken = fill(rig)
    rig.do(rig.reader.sent(rig.now, 20))
    assert rig.events()[-1] == "store_has_room"
    assert rig.scan(rig.text(counter=taken + 1)) == "open"
    rig.do(rig.reader.sent(rig.now, 10))  # an older answer that comes late changes nothing
    assert rig.reader.upkeep.acknowledged == 20


def test_a_restart_knows_how_full_the_store_is(scheme: Scheme) -> None:
    rig = full(scheme, 50)
    fill(rig)
    rig.start()
    rig.sync()
    assert rig.scan(rig.text(counter=300)) == "store_full"


def test_every_change_of_level_has_its_event_or_none() -> None:
    assert {pair for pair in EVENTS if pair[0] is pair[1]} == set()
    leaving_full = {after for before, after in EVENTS if before is Level.FULL}
    assert leaving_full == {Level.ROOM, Level.NEARLY_FULL}


def test_a_disk_that_fails_opens_no_gate_and_spends_no_code(scheme: Scheme) -> None:
    rig = Rig(scheme, {**CONFIG, "passback_s": "300"})
    code = rig.text()
    rig.disk_works = False
    assert rig.scan(code) == "store_full" and rig.opened == []
    assert rig.scan(rig.text(counter=2)) == "store_full"
    rig.disk_works = True
    rig.pass_time(1)
    rig.do(rig.reader.tend(rig.now))
    assert rig.scan(code) == "open"
    assert [r.position for r in rig.records] == list(range(1, len(rig.disk) + 1))


def test_a_disk_that_fails_follows_the_policy_of_a_full_store(scheme: Scheme) -> None:
    rig = Rig(scheme, {**CONFIG, "store_full": "open_uncharged"})
    rig.disk_works = False
    assert rig.scan(rig.text()) == "open:unrecorded"
    assert rig.scan(rig.text()) == "already_answered" and len(rig.opened) == 1


def test_a_code_opens_once_though_the_disk_fails_at_both_of_its_scans(scheme: Scheme) -> None:
    rig = Rig(scheme, {**CONFIG, "store_full": "open_uncharged"})
    code = rig.text()
    rig.disk_works = False
    assert rig.scan(code) == "open:unrecorded"
    rig.do(rig.reader.tend(rig.now))
    assert rig.scan(code) == "already_answered" and len(rig.opened) == 1


def test_a_count_that_could_not_be_written_is_told_when_the_disk_works_again(
    scheme: Scheme,
) -> None:
    rig = Rig(scheme, {**CONFIG, "store_full": "open_uncharged"})
    rig.disk_works = False
    for n in range(1, 4):  # the third time the disk fails at the count of the first two
        assert rig.scan(rig.text(counter=n)) == "open:unrecorded"
        rig.do(rig.reader.tend(rig.now))
    rig.disk_works = True
    assert rig.scan(rig.text(counter=4)) == "open"
    told = [r for r in rig.records if isinstance(r, EventRecord) and r.count]
    assert [(str(r.kind), r.count) for r in told] == [("unrecorded_scans", 3)]
    assert len(rig.opened) == 4 and len(rig.scans()) == 1


def test_no_rider_of_one_moment_is_forgotten_when_the_disk_fails(scheme: Scheme) -> None:
    wanted = {"budget_ms": "200", "breaker_after": "1", "store_full": "open_uncharged"}
    rig = Rig(scheme, {**CONFIG, **wanted})
    assert rig.scan(rig.text(counter=1)) == "waiting"
    rig.pass_time(0.2)
    rig.disk_works = False
    rig.do(rig.reader.scan(rig.now, rig.text(counter=2, slot=1)))
    assert len(rig.opened) == 2 and rig.scans() == []


def test_a_sealed_batch_holds_the_records_from_the_first_unacknowledged_one(
    scheme: Scheme,
) -> None:
    rig = Rig(scheme)
    for n in range(3):
        rig.scan(rig.text(counter=n + 1))
    rig.pass_time(3)
    rig.do(rig.reader.tend(rig.now))
    (send,) = [effect for effect in rig.others if isinstance(effect, Send)]
    assert (send.first_position, send.limit) == (1, 500)
    before = chain_start("g1", keys.public_bytes(rig.key))
    batch = parse_batch(rig.reader.seal(rig.now, 1, before, rig.disk))
    assert batch.records == tuple(rig.disk) and batch.chain_holds()
    assert batch.head.after == chain_end(before, rig.disk)
    assert signing.batch_accepts(rig.key.public_key(), batch.signature, batch.signed)


def test_a_batch_that_was_not_taken_goes_again_later_each_time(scheme: Scheme) -> None:
    rig = Rig(scheme)
    rig.scan(rig.text())

    def sends(after_s: float) -> int:
        before = len(rig.others)
        rig.pass_time(after_s)
        rig.do(rig.reader.tend(rig.now))
        return sum(isinstance(effect, Send) for effect in rig.others[before:])

    assert [sends(1), sends(1), sends(60)] == [0, 1, 0]  # one batch at a time
    rig.do(rig.reader.sent(rig.now, None))
    assert [sends(0.9), sends(0.1)] == [0, 1]
    rig.do(rig.reader.sent(rig.now, None))
    assert [sends(1.9), sends(0.1)] == [0, 1]
    rig.do(rig.reader.sent(rig.now, len(rig.disk)))
    assert sends(100) == 0
