"""The parts of a reader by themselves: settings, breaker, texts, heartbeats."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import product

import pytest
from reader_rig import CONFIG, Rig
from ride_code_scheme import AT, Scheme

from transitpay.errors import MalformedInput
from transitpay.money import CNY, HKD
from transitpay.ride_code.reader import Beat, Fetch, ListName, ReaderSettings, Signal, Sound
from transitpay.ride_code.reader.breaker import TRANSITIONS, Breaker, State, Word
from transitpay.ride_code.reader.texts import ACTIONS, CELLS, SHORT, WELCOME_SHORT, cells, show
from transitpay.ride_code.reasons import RULES, Action, Language, Reason
from transitpay.ride_code.records.record import Decision, Mode

MS = timedelta(milliseconds=1)
NEEDED = ("operator", "network", "stop", "direction", "destination", "mode")
BARE = {name: CONFIG[name] for name in NEEDED}


def test_what_a_config_does_not_say_has_the_default_of_the_page() -> None:
    it = ReaderSettings.of(BARE)
    rules = it.rules
    assert (rules.max_age_s, rules.max_future_s, rules.overstay_s) == (60, 20, 12600)
    assert (rules.service_excluded, rules.test_keys_allowed, rules.fares_minor) == (
        False, False, {},
    )  # fmt: skip
    assert (it.debounce_ms, it.passback_s, it.budget_ms) == (2000, 300, 200)
    assert (it.breaker_after, it.breaker_pause_ms) == (3, 5000)
    assert it.stale_ceilings == {HKD: 2000, CNY: 2000}
    policies = (it.stale_lists, it.store_full, it.clock_fault, it.gates)
    assert policies == ("open_low", "close", "open", Mode.NORMAL)
    assert it.languages == tuple(Language)


def test_a_name_that_nobody_knows_is_ignored() -> None:
    assert ReaderSettings.of({**BARE, "colour": "blue"}) == ReaderSettings.of(BARE)


@pytest.mark.parametrize("name", NEEDED)
def test_a_config_says_where_the_reader_stands(name: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        ReaderSettings.of({k: v for k, v in BARE.items() if k != name})
    assert (refused.value.code, refused.value.field) == ("bad_reader_config", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", "8"), ("destination", "16"), ("direction", "up"), ("max_age_s", "0"),
        ("max_age_s", "601"), ("budget_ms", "-1"), ("budget_ms", "2e2"), ("budget_ms", "٢"),
        ("passback_s", ""), ("highest_fare.HKD", "1.5"), ("stale_lists", "maybe"),
        ("store_full", "open"), ("clock_fault", "ignore"), ("gates", "local"),
        ("languages", "fr"), ("languages", "en,en"), ("languages", ""), ("test_keys_allowed", "2"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_refuses_the_config_by_name(name: str, value: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        ReaderSettings.of({**BARE, name: value})
    assert (refused.value.code, refused.value.field) == ("bad_reader_config", name)


def test_a_breaker_knows_every_word_in_every_state() -> None:
    assert set(TRANSITIONS) == set(product(State, Word))


def test_a_breaker_lets_one_probe_through_after_each_pause() -> None:
    breaker = Breaker(2, 100)
    for _ in range(2):
        assert breaker.may_ask(0)
        breaker.failed(0)
    assert [breaker.may_ask(t) for t in (0, 99, 100, 101)] == [False, False, True, False]
    breaker.failed(150)
    assert [breaker.may_ask(t) for t in (249, 250)] == [False, True]
    breaker.succeeded(260)
    assert breaker.may_ask(260) and breaker.state is State.CLOSED


@pytest.mark.parametrize("language", Language)
def test_every_short_text_fits_two_lines_of_sixteen_cells(language: Language) -> None:
    n = list(Language).index(language)
    lines = [texts[n] for texts in (*SHORT.values(), *ACTIONS.values(), WELCOME_SHORT)]
    assert [line for line in lines if not 0 < cells(line) <= CELLS] == []


def test_a_chinese_character_takes_two_cells() -> None:
    assert (cells("請通過"), cells("Go online"), cells("碼A")) == (6, 9, 3)


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_red_and_says_what_to_do_in_every_language(reason: Reason) -> None:
    seen = show(1, Decision.REFUSED, reason, (), tuple(Language))
    assert (seen.signal, seen.reason, seen.fare) == (Signal.RED, reason, None)
    again = RULES[reason].action is Action.REFRESH
    assert seen.sound is (Sound.TRY_AGAIN if again else Sound.STOP)
    assert [text.full for text in seen.texts] == list(RULES[reason].texts)
    assert [text.short[1] for text in seen.texts] == list(ACTIONS[RULES[reason].action])


def test_an_open_gate_is_green_or_amber_in_the_configured_languages() -> None:
    order = (Language.EN, Language.ZH_HANS)
    green = show(1, Decision.ACCEPTED, None, (), order)
    assert (green.signal, green.sound) == (Signal.GREEN, Sound.PASS)
    assert [(t.language, t.short) for t in green.texts] == [
        (Language.EN, ("Please pass", "")), (Language.ZH_HANS, ("请通过", "")),
    ]  # fmt: skip
    amber = show(1, Decision.ACCEPTED, None, (Reason.QUOTA_EXCEEDED,), order)
    assert (amber.signal, amber.sound, amber.reason) == (
        Signal.AMBER, Sound.READ, Reason.QUOTA_EXCEEDED,
    )  # fmt: skip
    assert amber.texts[0].short == ("Offline used up", "Please pass")


def test_a_heartbeat_says_how_the_reader_is_and_when_it_last_reported(scheme: Scheme) -> None:
    rig = Rig(scheme)
    rig.scan(rig.text())
    rig.pass_time(3)
    rig.do(rig.reader.tend(rig.now))
    (beat,) = [effect for effect in rig.others if isinstance(effect, Beat)]
    told = json.loads(beat.body)
    assert told == {
        "last_sequence": (1 << 32) + 1, "through_at": (AT - MS).isoformat(),
        "at": (AT + timedelta(seconds=3)).isoformat(), "uncertainty_s": 0,
        "last_position": len(rig.disk), "store_held": len(rig.disk), "store_capacity": 50_000,
        "trust_version": 1, "deny_version": 4, "config_version": 9, "software": "test 1",
    }  # fmt: skip


def test_everything_is_reported_once_it_is_acknowledged(scheme: Scheme) -> None:
    rig = Rig(scheme)
    rig.scan(rig.text())
    rig.reader.seal(rig.now, 1, bytes(32), rig.disk)
    rig.do(rig.reader.sent(rig.now, len(rig.disk)))
    rig.pass_time(60)
    rig.do(rig.reader.tend(rig.now))
    beats = [json.loads(e.body) for e in rig.others if isinstance(e, Beat)]
    assert beats[-1]["through_at"] == (AT + timedelta(seconds=60) - MS).isoformat()


def test_lists_are_fetched_at_the_start_and_when_the_gateway_has_others(scheme: Scheme) -> None:
    rig = Rig(scheme)
    rig.do(rig.reader.tend(rig.now))
    fetched = [(e.name, e.have_version) for e in rig.others if isinstance(e, Fetch)]
    assert fetched == [(ListName.TRUST, 1), (ListName.DENY, 4), (ListName.CONFIG, 9)]
    told = {"server_time": AT.isoformat(), "trust_version": 1, "deny_version": 5}
    effects = rig.reader.beaten(rig.now, rig.now, 200, json.dumps(told).encode())
    assert effects == (Fetch(ListName.DENY, 4),)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (503, {"server_time": AT.isoformat()}), (200, {}), (200, {"server_time": "noon"}),
        (200, {"server_time": "2026-07-01T04:00:00"}),
        (200, {"server_time": AT.isoformat(), "deny_version": "5"}),
    ],
)  # fmt: skip
def test_an_answer_to_a_heartbeat_that_is_none_moves_no_clock(
    scheme: Scheme, status: int, told: dict[str, object]
) -> None:
    rig = Rig(scheme)
    before = rig.reader.clock
    assert rig.reader.beaten(rig.now, rig.now, status, json.dumps(told).encode()) == ()
    assert rig.reader.clock == before


def test_a_list_that_was_refused_is_an_event(scheme: Scheme) -> None:
    rig = Rig(scheme)
    rig.do(rig.reader.list_refused(rig.now))
    assert rig.events()[-1] == "list_refused"
