"""A phone draws codes without a network, and a code crosses the air as an image."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from transitpay.clock import day_start
from transitpay.errors import MalformedInput, RuleViolation
from transitpay.money import CNY
from transitpay.ride_code import layout
from transitpay.ride_code.keys import generate_issuer_key
from transitpay.ride_code.signing import device_accepts, load_point, sign_authorisation
from transitpay.runtime.tariff_folder import load_book
from transitpay.sandbox import optics
from transitpay.sandbox.coverage import BROKEN_MODEM, plan_coverage
from transitpay.sandbox.demand import plan_day
from transitpay.sandbox.phones import Phone, SignedAuthorisation
from transitpay.sandbox.places import Places, make_places
from transitpay.sandbox.riders import Case, all_scans

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
        for mask in range(optics.MASKS):
            drawn = (optics.draw(text, mask), optics.draw_for_people(text, mask))
            assert [optics.read(image) for image in drawn] == [text, text]
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
    ridden = {scan.place.network for scan in all_scans(first)}
    assert ridden == {it.network for it in places.readers}, "every network is ridden on"
    for rider in first:
        assert [scan.at for scan in rider.scans] == sorted(scan.at for scan in rider.scans)


def test_buses_reach_the_network_at_termini_and_some_gates_lose_it(places: Places) -> None:
    planned = plan_coverage(places.readers, 1, DAY)
    assert planned == plan_coverage(places.readers, 1, DAY)
    assert planned != plan_coverage(places.readers, 2, DAY)
    gates = [planned[it.reader] for it in places.readers if it.online]
    losing = [it for it in gates if it.gaps]
    assert 0 < len(losing) < len(gates) / 2
    night = day_start(DAY) + timedelta(hours=22)
    buses = [it.reader for it in places.readers if not it.online]
    broken = planned[BROKEN_MODEM]
    assert not broken.reaches(night - timedelta(hours=2)) and broken.reaches(night)
    for bus in (planned[it] for it in buses if it != BROKEN_MODEM):
        begin, end = bus.gaps[3]
        assert bus.reaches(begin - timedelta(seconds=1)) and not bus.reaches(begin)
        assert not bus.reaches(end - timedelta(seconds=1)) and bus.reaches(end)
        assert bus.reaches(night)
