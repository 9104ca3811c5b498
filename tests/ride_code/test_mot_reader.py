"""A reader takes Ministry of Transport codes as bytes: alone, asking, and after a power cut."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from mot_scheme import MotScheme
from reader_rig import CONFIG, Rig
from ride_code_scheme import Scheme

from transitpay.ride_code.mot.layout import write_text


@pytest.fixture
def rig(scheme: Scheme, mot: MotScheme) -> Rig:
    made = Rig(scheme, {**CONFIG, "destination": "1", "mot_max_age_s": "120"})
    assert made.lists is not None
    made.lists = replace(made.lists, trust=mot.trust())
    made.start(clean=True)
    made.sync()
    return made


def test_a_reader_alone_opens_once_for_a_code_and_keeps_its_bytes(rig: Rig, mot: MotScheme) -> None:
    data = mot.data()
    assert rig.scan(data) == "open"
    assert rig.scan(data) == "already_answered"
    rig.pass_time(3)
    assert rig.scan(data) == "replay"
    assert [it.code for it in rig.scans()] == [data] * 3
    assert rig.scan(mot.data(age_s=118)) == "code_stale"
    assert rig.scan(mot.data(age_s=116)) == "open"


def test_the_same_code_as_a_text_is_a_replay_too(rig: Rig, mot: MotScheme) -> None:
    data = mot.data()
    assert rig.scan(data) == "open"
    rig.pass_time(3)
    assert rig.scan(write_text(data).encode()) == "replay"


def test_a_spent_code_is_known_after_a_power_cut(rig: Rig, mot: MotScheme) -> None:
    data = mot.data()
    assert rig.scan(data) == "open"
    rig.start()
    rig.sync()
    rig.pass_time(3)
    assert rig.scan(data) == "replay"


def test_the_gateway_is_asked_with_the_text(scheme: Scheme, mot: MotScheme) -> None:
    asking = Rig(scheme, {**CONFIG, "destination": "1", "budget_ms": "200"})
    data = mot.data()
    assert asking.scan(data) == "waiting"
    assert json.loads(asking.asks[-1].body)["code"] == write_text(data)
