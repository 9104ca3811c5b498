"""Case 31 for the second format: never accepted, never an exception, never more than its chain."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from luck import seeds
from mot_mutations import MotMutator, good_codes, trust_list
from ride_code_scheme import Crypto

from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.mot.layout import write_text
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.verdict import Accepted, ReaderRules, Rejected, judge
from transitpay.taps import Direction

SEEDS = json.loads((Path(__file__).parent / "fuzz_seeds.json").read_text("utf-8"))
AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
GOODS = good_codes(int(AT.timestamp()))
TEXTS = {write_text(good.data) for good in GOODS}
TRUST = trust_list(AT)
READERS = [ReaderRules(1, 0, Direction.ENTRY), ReaderRules(1, 1, Direction.EXIT)]


def _fuzz(seed: int, codes: int, crypto: Crypto) -> Counter[str]:
    """Judge ``codes`` mutated codes; what was refused, by its reason."""
    mutator, choice = MotMutator(GOODS, seed), Random(seed)
    cache, seen = SignatureCache(limit=64), Counter[str]()
    for number in range(codes):
        kind, text = mutator.next()
        held = choice.choice((cache, cache, cache, None))
        crypto.reset()
        found = judge(text, TRUST, DenyList(), choice.choice(READERS), AT, 0, held)
        where = f"seed {seed}, number {number}, {kind}: {text!r}"
        assert isinstance(found, Rejected) or text in TEXTS, where
        assert crypto.verifications <= 3 and crypto.key_loads <= 2, where
        seen[found.reason if isinstance(found, Rejected) else "accepted"] += 1
    return seen


@pytest.mark.parametrize("reader", READERS)
def test_the_codes_that_are_mutated_are_good(reader: ReaderRules) -> None:
    found = [judge(text, TRUST, DenyList(), reader, AT) for text in sorted(TEXTS)]
    assert [isinstance(it, Accepted) for it in found] == [True] * len(GOODS)


def test_a_seed_makes_the_same_mutations_again() -> None:
    first, second = MotMutator(GOODS, 7), MotMutator(good_codes(int(AT.timestamp())), 7)
    assert [first.next() for _ in range(100)] == [second.next() for _ in range(100)]


@pytest.mark.parametrize("seed", seeds(SEEDS["mot_quick"]["seed"]))
def test_case_31_some_mutated_codes_of_the_second_format_are_refused(
    seed: int, crypto: Crypto
) -> None:
    seen = _fuzz(seed, SEEDS["mot_quick"]["codes"], crypto)
    assert seen["bad_device_signature"] > 50 and seen["bad_issuer_signature"] > 50
    assert seen["unreadable"] > 50 and seen["unknown_version"] and seen["unknown_key"]


@pytest.mark.heavy
@pytest.mark.parametrize("seed", SEEDS["mot_heavy"]["seeds"])
def test_case_31_many_mutated_codes_of_the_second_format_are_refused(
    seed: int, crypto: Crypto
) -> None:
    _fuzz(seed, SEEDS["mot_heavy"]["codes_a_seed"], crypto)
