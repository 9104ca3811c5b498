"""A phone's code crosses the air as an image, and a reader gives each scan its sequence once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from transitpay.clock import ManualClock
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.money import CNY
from transitpay.ride_code import layout
from transitpay.ride_code.keys import generate_issuer_key
from transitpay.ride_code.signing import device_accepts, load_point, sign_authorisation
from transitpay.runtime.tariff_folder import load_book
from transitpay.sandbox import optics
from transitpay.sandbox.gate import Reader, TapAnswer
from transitpay.sandbox.lists_mirror import ListsMirror
from transitpay.sandbox.phones import Phone, SignedAuthorisation
from transitpay.sandbox.places import Places, make_places
from transitpay.sandbox.riders import Case, all_scans, plan_day

NOON = datetime(2026, 10, 30, 4, tzinfo=UTC)
DAY = date(2026, 10, 30)


def phone(folder: Path, quota: int = 100) -> Phone:
    made = Phone(folder / "counter")
    authorisation = layout.Authorisation(
        101, "00" * 8, 1, made.device_public_key, int(NOON.timestamp()) - 60, 24, 60, 100, CNY,
        2, 3, 0, 0, quota,
    )  # fmt: skip
    made.install(
        SignedAuthorisation(
            1,
            layout.encode_authorisation(authorisation),
            sign_authorisation(authorisation, generate_issuer_key()),
        )
    )
    return made


@pytest.fixture
def places() -> Places:
    return make_places(load_book(None), 1)


def test_both_libraries_draw_a_version_10_code_that_the_camera_reads(tmp_path: Path) -> None:
    it = phone(tmp_path)
    for number in (1, optics.SECOND_LIBRARY_EACH):
        text = it.draw(NOON, 1)
        assert optics.through_the_air(text, number) == text
    side = (optics.MODULES + 2 * optics.QUIET_MODULES) * 2
    assert optics.draw(text).shape == optics.draw_for_people(text).shape == (side, side)


def test_an_image_without_a_code_is_refused() -> None:
    blank = optics.draw("TP1:" + "0" * 300) * 0
    with pytest.raises(MalformedInput, match="no QR code"):
        optics.read(blank)


def test_the_counter_is_on_the_disk_before_the_code_exists(tmp_path: Path) -> None:
    it = phone(tmp_path)
    for expected in (1, 2, 3):
        code = layout.parse(layout.read_text(it.draw(NOON, 1)))
        on_disk = int.from_bytes((tmp_path / "counter").read_bytes(), "big")
        assert code.counter == expected == on_disk


def test_a_used_up_quota_and_a_missing_authorisation_draw_nothing(tmp_path: Path) -> None:
    it = phone(tmp_path, quota=1)
    it.draw(NOON, 1)
    with pytest.raises(RuleViolation, match="drawn"):
        it.draw(NOON, 1)
    with pytest.raises(RuleViolation, match="no authorisation"):
        Phone(tmp_path / "other").draw(NOON, 1)


def test_a_forged_code_is_not_signed_by_the_device(tmp_path: Path) -> None:
    it = phone(tmp_path)
    key = load_point(it.device_public_key)
    assert key is not None
    for text, genuine in ((it.draw(NOON, 1), True), (it.draw_forged(NOON, 1), False)):
        data = layout.read_text(text)
        assert device_accepts(key, data[136:], data[:136]) is genuine


def test_the_same_seed_plans_the_same_day_and_every_bad_case(places: Places) -> None:
    first, again = plan_day(60, 1, places, DAY), plan_day(60, 1, places, DAY)
    assert first == again
    assert first != plan_day(60, 2, places, DAY)
    assert {scan.case for scan in all_scans(first)} == set(Case)
    for rider in first:
        assert [scan.at for scan in rider.scans] == sorted(scan.at for scan in rider.scans)


def test_two_thousand_riders_are_planned_within_a_second(places: Places) -> None:
    started = time.monotonic()
    assert len(plan_day(2000, 1, places, DAY)) == 2000
    assert time.monotonic() - started < 1


@dataclass
class FakeWire:
    """A gateway that answers as it is told."""

    answers: list[tuple[int, Any]]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def post(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((path, dict(body)))
        return self.answers.pop(0) if self.answers else (0, None)


def reader(places: Places, wire: FakeWire, *, online: bool, told: list[TapAnswer]) -> Reader:
    place = places.metro[1][0][1] if online else places.buses[1][0]
    return Reader(place, "token", wire, ManualClock(NOON), ListsMirror({}), told.append)


async def test_a_scan_is_asked_again_under_its_sequence_until_it_is_answered(
    places: Places,
) -> None:
    accepted = {"sequence": 1, "decision": "accepted", "open": True, "reason": None}
    wire, told = FakeWire([(0, None), (503, {}), (200, accepted)]), list[TapAnswer]()
    gate = reader(places, wire, online=True, told=told)
    seen = await gate.scan("TP1:", NOON)
    assert seen.opened and seen.acknowledged and gate.waiting == 0
    assert len(wire.asked) == 3
    assert wire.asked[0] == wire.asked[1] == wire.asked[2]
    assert [(it.sequence, it.decision) for it in told] == [(1, "accepted")]


async def test_what_is_not_acknowledged_is_kept_and_uploaded_later(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transitpay.sandbox.gate.ONLINE_LIMIT_S", 0.05)
    result = {"sequence": 1, "at": NOON.isoformat(), "stored": "new"}
    told = list[TapAnswer]()
    wire = FakeWire([])
    gate = reader(places, wire, online=True, told=told)
    seen = await gate.scan("TP1:", NOON)
    assert not seen.opened and not seen.acknowledged
    assert gate.waiting == 1 and not told
    assert not await gate.upload()
    wire.answers = [(200, {"results": [result | {"decision": "refused", "reason": "unreadable"}]})]
    assert await gate.upload()
    path, body = wire.asked[-1]
    assert path == "/v1/taps/batch"
    assert body["records"][0]["opened"] is False
    assert [it.decision for it in told] == ["refused"]


async def test_a_reader_never_reports_past_a_scan_that_is_planned_or_unsent(
    places: Places,
) -> None:
    gate = reader(places, FakeWire([]), online=False, told=[])
    assert gate.through_at() == NOON
    gate.expect(NOON - timedelta(minutes=5), 7)
    assert gate.through_at() < NOON - timedelta(minutes=5)
    await gate.scan("TP1:", NOON - timedelta(minutes=5))
    gate.over(7)
    assert gate.through_at() < NOON - timedelta(minutes=5)
    await asyncio.sleep(0)
