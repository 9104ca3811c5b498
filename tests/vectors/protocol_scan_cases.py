"""Rows of scans at one reader that decides alone; each decision is written by hand.

A word of the expected decisions is a reason, or "open" with its flags ("held" where the gates stand
open anyway); "again" is a second answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from make_ride_code_vectors import ISSUERS, NOW, Recipe, make
from protocol_bytes import DAY, READER, config, deny, trust, whole

from transitpay.ride_code import keys, layout

MS = NOW * 1000
_KEYS = [
    trust(1, keys.public_bytes(ISSUERS[1]), "alipayhk"),
    trust(2, keys.public_bytes(ISSUERS[2]), "alipay", algorithm=2, number=2),
]
TRUST = whole("trust", 7, _KEYS)
NOBODY = whole("deny", 41, [])
#: The rider of all codes here is denied by this list up to serial 5, at issuer 1 alone.
DENIED = whole("deny", 42, [deny(1, 0x0011223344556677, 5)])
OLD = whole("deny", 40, [], issued=NOW - DAY, use_by=NOW)
OLD_TRUST = whole("trust", 7, _KEYS, issued=NOW - DAY, use_by=NOW)
Event = dict[str, object]


def settings(**changed: str) -> bytes:
    """A config of the reader; a double underscore is a point."""
    values = {
        "operator": "mtr", "network": "mtr", "stop": "HUH", "direction": "entry",
        "destination": "0", "mode": "0",
    }  # fmt: skip
    values |= {name.replace("__", "."): value for name, value in changed.items()}
    records = sorted(config(name, value) for name, value in values.items())
    return whole("config", 3, records, scope=READER)


def code(counter: int = 1, after_s: int = 0, slot: int = 0, **fields: object) -> str:
    """A code drawn 5 s before the given second after the beginning."""
    recipe = Recipe(
        age_s=5 - after_s,
        counter=counter,
        slot=slot,
    )
    return layout.write_text(make(recipe, fields)).encode().hex()


def scan(after_ms: int, shown: str, u: int = 0, back_ms: int = 0) -> Event:
    """A code is shown so many ms after the beginning; our time was set back by so much."""
    at = {"at_ms": MS + after_ms - back_ms, "clock_ms": 10_000_000 + after_ms}
    return {**at, "scan": shown, "uncertainty_s": u}


def other(after_ms: int, **what: object) -> Event:
    """An outcome or a restart."""
    return {"at_ms": MS + after_ms, "clock_ms": 10_000_000 + after_ms, **what}


@dataclass(frozen=True)
class ScanCase:
    """What happens, and the decisions in one word each."""

    name: str
    expected: str
    note: str
    events: Sequence[Event]
    config: bytes = settings()
    deny: bytes | None = NOBODY
    trust: bytes = TRUST


A, B = code(1), code(1, rider_id="00000000000000bb", serial=7)
LONG_1, LONG_2 = code(1, 0, code_life_s=600), code(2, 0, code_life_s=600)
#: Drawn for Shenzhen; the second may not ride on buses.
SZ_BUS = layout.write_text(make(Recipe(destination=1), {})).encode().hex()
SZ_METRO = layout.write_text(make(Recipe(destination=1, counter=3), {"modes": 1})).encode().hex()
TEST_TRUST = whole("trust", 7, [trust(1, keys.public_bytes(ISSUERS[1]), "alipayhk", flags=1)])
SHORT, CLOSE = settings(passback_s="30"), settings(stale_lists="close")
EXIT = settings(direction="exit")
LOW = settings(highest_fare__HKD="2000")
SCAN_CASES = [
    ScanCase("case-01-scans-same-code-at-once", "open again again",
             "0.2 s and 2.000 s later: one tap", [scan(0, A), scan(200, A), scan(2000, A)]),
    ScanCase("scans-debounce-over", "open replay", "2.001 s later", [scan(0, A), scan(2001, A)]),
    ScanCase("scans-debounce-counts-from-the-first", "open again replay",
             "a second answer makes no debounce of its own",
             [scan(0, A), scan(1500, A), scan(3000, A)]),
    ScanCase("scans-refused-is-no-answer", "code_stale code_stale", "a refusal is no first answer",
             [scan(57_000, A), scan(57_100, A)]),
    ScanCase("case-05-scans-a-b-a", "open open replay", "another rider in between",
             [scan(0, A), scan(3000, B), scan(6000, A)]),
    ScanCase("case-06-scans-restart", "open replay", "the power goes in between",
             [scan(0, A), other(1000, restart=True), scan(1500, A)]),
    ScanCase("case-06-scans-passback-after-restart", "open passback",
             "who entered is known again too",
             [scan(0, A), other(1000, restart=True), scan(20_000, code(2, 20))]),
    ScanCase("scans-passback", "open passback open", "299.999 s and 300.000 s later",
             [scan(0, A), scan(299_999, code(2, 299)), scan(300_000, code(3, 300))]),
    ScanCase("scans-passback-spends-nothing", "open passback open",
             "the code that was refused at 29.999 s is good at 30.000 s",
             [scan(0, A), scan(29_999, code(2, 20)), scan(30_000, code(2, 20))], SHORT),
    ScanCase("scans-passback-after-clock-set-back", "open passback",
             "an entry in our future is near as well",
             [scan(60_000, code(1, 60)), scan(70_000, code(2, 50), back_ms=20_000)]),
    ScanCase("scans-not-passed", "open open replay", "who did not pass may enter with a fresh code",
             [scan(0, A), other(5000, outcome=2, of=0), scan(9000, code(2, 9)), scan(12_000, A)]),
    ScanCase("scans-timed-out", "open open", "as not passed",
             [scan(0, A), other(5000, outcome=3, of=0), scan(9000, code(2, 9))]),
    ScanCase("scans-passed", "open passback", "who passed may not",
             [scan(0, A), other(5000, outcome=1, of=0), scan(9000, code(2, 9))]),
    ScanCase("scans-forced-open", "open passback", "nor who forced the gate",
             [scan(0, A), other(5000, outcome=4, of=0), scan(9000, code(2, 9))]),
    ScanCase("scans-companions", "open open open", "each slot for itself",
             [scan(0, A), scan(3000, code(2, 0, 1)), scan(6000, code(3, 0, 2))]),
    ScanCase("case-11-scans-companion-slot-again", "open passback", "a companion twice",
             [scan(0, code(1, 0, 1)), scan(3000, code(2, 0, 1))]),
    ScanCase("scans-other-issuer", "open open", "the same rider id of another issuer",
             [scan(0, A), scan(3000, code(2, 0, key_id=2))]),
    ScanCase("scans-next-serial", "open open", "counter 1 of the next serial is another code",
             [scan(0, A), scan(3000, code(1, 0, serial=6))], settings(passback_s="0")),
    ScanCase("case-10-scans-counter-collision", "open replay",
             "two phones of one backup: the same counter under other bytes",
             [scan(0, A), scan(3000, code(1, 3))]),
    ScanCase("scans-exit-has-no-passback", "open open", "an exit lets out",
             [scan(0, A), scan(3000, code(2, 3))], EXIT),
    ScanCase("scans-board-has-passback", "open passback", "boarding is entering",
             [scan(0, A), scan(3000, code(2, 3))], settings(direction="board")),
    ScanCase("scans-single-has-passback", "open passback", "so is a single tap",
             [scan(0, A), scan(3000, code(2, 3))], settings(direction="single")),
    ScanCase("scans-gates-open", "held held again replay",
             "no gate moves, and passback is no reason",
             [scan(0, A), scan(3000, code(2, 3)), scan(4000, code(2, 3)), scan(6000, A)],
             settings(gates="open")),
    ScanCase("scans-gates-emergency", "held held denied", "the same; all else is judged as ever",
             [scan(0, B), scan(3000, code(2, 0, rider_id="00000000000000bb", serial=7)),
              scan(6000, code(3, 6))], settings(gates="emergency"), DENIED),
    ScanCase("case-34-scans-denied", "denied", "at an entry", [scan(0, A)], deny=DENIED),
    ScanCase("case-34-scans-denied-exit", "open:denied", "who is inside gets out",
             [scan(0, A)], EXIT, DENIED),
    ScanCase("scans-denied-by-issuer-number", "open", "alipay is issuer 2",
             [scan(0, code(1, key_id=2))], deny=DENIED),
    ScanCase("case-34-scans-stale-close", "list_stale", "the policy closes", [scan(0, A)],
             settings(stale_lists="close", highest_fare__HKD="2000"), OLD),
    ScanCase("scans-not-yet-stale", "open", "one millisecond before the use by", [scan(-1, A)],
             CLOSE, OLD),
    ScanCase("case-34-scans-stale-low", "open:list_stale", "the highest fare is the stale ceiling",
             [scan(0, A)], LOW, OLD),
    ScanCase("case-34-scans-stale-high", "list_stale", "the highest fare is 0.01 above it",
             [scan(0, A)], settings(highest_fare__HKD="2001"), OLD),
    ScanCase("scans-stale-own-ceiling", "open:list_stale", "a stale ceiling of its own",
             [scan(0, A)], settings(highest_fare__HKD="2001", stale_ceiling__HKD="2001"), OLD),
    ScanCase("scans-stale-fare-not-told", "list_stale", "no highest fare in the ceiling's currency",
             [scan(0, A)], settings(highest_fare__CNY="1"), OLD),
    ScanCase("scans-stale-exit", "open:list_stale", "an exit opens and flags",
             [scan(0, A)], settings(direction="exit", stale_lists="close"), OLD),
    ScanCase("scans-no-deny-list", "list_stale", "none is as stale", [scan(0, A)], deny=None),
    ScanCase("scans-stale-trust-list", "open:list_stale", "the trust list is stale",
             [scan(0, A)], LOW, trust=OLD_TRUST),
    ScanCase("scans-stale-before-passback", "open list_stale", "said before passback",
             [scan(-1, A), scan(3000, code(2, 3))], CLOSE, OLD),
    ScanCase("scans-debounce-before-stale", "open again", "said after a second answer",
             [scan(-1, A), scan(1000, A)], CLOSE, OLD),
    ScanCase("case-37-scans-clock-fault-open", "open:clock_fault", "u of 301 s, opened and flagged",
             [scan(0, A, 301)]),
    ScanCase("case-37-scans-clock-fault-close", "clock_fault", "u of 301 s, closed",
             [scan(0, A, 301)], settings(clock_fault="close")),
    ScanCase("scans-clock-good-enough", "open", "u of 300 s",
             [scan(0, A, 300)], settings(clock_fault="close")),
    ScanCase("case-37-scans-clock-fault-exit", "open:clock_fault", "an exit opens",
             [scan(0, A, 301)], settings(direction="exit", clock_fault="close")),
    ScanCase("case-37-scans-clock-set-back", "open replay",
             "our time is set back by 15 s: no used code comes to life",
             [scan(0, A), scan(5000, A, back_ms=15_000)]),
    ScanCase("scans-default-age", "open code_stale", "60 s and 61 s of codes that live 600 s",
             [scan(55_999, LONG_1), scan(56_000, LONG_2)]),
    ScanCase("scans-default-future", "open code_from_future", "20 s and 21 s ahead",
             [scan(0, code(1, 25)), scan(0, code(2, 26))]),
    ScanCase("scans-own-age", "open code_stale", "90 s and 91 s by the setting",
             [scan(85_000, LONG_1), scan(86_000, LONG_2)],
             settings(max_age_s="90", passback_s="0")),
    ScanCase("scans-own-future", "open code_from_future", "0 s and 1 s ahead by the setting",
             [scan(0, code(1, 5)), scan(0, code(2, 6))], settings(max_future_s="0")),
    ScanCase("scans-default-overstay", "open:authorisation_expired authorisation_expired",
             "ended 12599 s and 12600 s before it was drawn",
             [scan(0, code(1, 0, not_before=NOW - 5 - 3600 - 12_599, life_h=1)),
              scan(0, code(2, 0, not_before=NOW - 5 - 3600 - 12_600, life_h=1))], EXIT),
    ScanCase("scans-own-overstay", "open:authorisation_expired authorisation_expired",
             "ended 59 s and 60 s before it was drawn",
             [scan(0, code(1, 0, not_before=NOW - 5 - 3600 - 59, life_h=1)),
              scan(0, code(2, 0, not_before=NOW - 5 - 3600 - 60, life_h=1))],
             settings(direction="exit", overstay_s="60")),
    ScanCase("case-32-scans-service-excluded", "service_excluded", "by the setting", [scan(0, A)],
             settings(service_excluded="1")),
    ScanCase("case-21-scans-test-key", "test_key", "by default", [scan(0, A)], trust=TEST_TRUST),
    ScanCase("case-21-scans-test-key-allowed", "open", "by the setting", [scan(0, A)],
             settings(test_keys_allowed="1"), trust=TEST_TRUST),
    ScanCase("case-32-scans-own-place", "open wrong_destination mode_not_allowed",
             "destination 1 and mode 1 by the setting",
             [scan(0, SZ_BUS), scan(0, code(2)), scan(0, SZ_METRO)],
             settings(destination="1", mode="1", passback_s="0")),
    ScanCase("case-33-scans-ceiling", "open ceiling_too_low", "200.00 and 199.00 at 200.00",
             [scan(0, A), scan(0, code(2, ceiling_major=199))],
             settings(highest_fare__HKD="20000", passback_s="0")),
    ScanCase("case-04-scans-screenshot", "open code_stale", "another's screenshot of 61 s",
             [scan(0, A), scan(56_000, B)]),
]  # fmt: skip
