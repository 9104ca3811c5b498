"""The gateway's time, when its answer was long under way, never makes a reader's clock worse."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from reader_rig import CONFIG, Rig
from ride_code_scheme import Scheme


@pytest.fixture
def rig(scheme: Scheme) -> Rig:
    return Rig(scheme, dict(CONFIG))


def beat(rig: Rig, under_way_s: float, *, off_s: float = 0) -> None:
    """A heartbeat whose answer came at once from the gateway and then was long under way."""
    began, body = rig.now, {"server_time": (rig.wall + timedelta(seconds=off_s)).isoformat()}
    rig.pass_time(under_way_s)
    rig.do(rig.reader.beaten(rig.now, began, 200, json.dumps(body).encode()))


def test_an_answer_that_was_under_way_for_longer_than_the_doubt_sets_no_clock(rig: Rig) -> None:
    rig.sync()
    beat(rig, 3000)
    assert rig.reader.clock.read(rig.now).at == rig.wall
    assert rig.scan(rig.drawn(rig.scheme.code(age_s=-3000 + 5))) == "open"


@pytest.mark.parametrize(("under_way_s", "taken"), [(300, True), (300.001, False)])
def test_a_reader_that_knows_nothing_takes_a_time_that_is_within_the_widest_window(
    rig: Rig, under_way_s: float, taken: bool
) -> None:
    rig.disk.clear()
    rig.start()
    beat(rig, under_way_s)
    assert (rig.reader.clock.read(rig.now).uncertainty_s <= 300) is taken


def test_a_quick_answer_sets_the_clock(rig: Rig) -> None:
    rig.sync()
    beat(rig, 0.2, off_s=7)
    assert rig.reader.clock.read(rig.now).at == rig.wall + timedelta(seconds=6.9)
