"""Case 31: whatever is shown to a reader, it opens for good codes alone, raises nothing, and costs
at most two verifications and one key load. The seeds stand in ``fuzz_seeds.json``."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from code_mutations import ISSUERS, Mutator, good_codes
from luck import seeds
from ride_code_scheme import Crypto

from transitpay.money import HKD, Money
from transitpay.ride_code import keys, layout
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.ride_code.verdict import Accepted, ReaderRules, Rejected, judge
from transitpay.taps import Direction

SEEDS = json.loads((Path(__file__).parent / "fuzz_seeds.json").read_text("utf-8"))
AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
GOODS = good_codes(int(AT.timestamp()))
TEXTS = {layout.write_text(good.data) for good in GOODS}
TRUST = TrustList.of(
    1,
    [
        IssuerKey(
            key_id, keys.algorithm_of(key), keys.public_bytes(key), "alipayhk", 0b11, 0b11,
            AT - timedelta(30), AT + timedelta(30),
        )
        for key_id, key in ISSUERS.items()
    ],
)  # fmt: skip
READERS = [
    ReaderRules(0, 0, Direction.ENTRY, highest_fare=Money(6600, HKD)),
    ReaderRules(0, 0, Direction.EXIT),
    ReaderRules(1, 1, Direction.ALIGHT, service_excluded=True),
]


def _fuzz(seed: int, codes: int, crypto: Crypto) -> Counter[str]:
    """Judge ``codes`` mutated codes; what was refused, by its reason."""
    mutator, choice = Mutator(GOODS, seed), Random(seed)
    cache, seen = SignatureCache(limit=64), Counter[str]()
    for number in range(codes):
        kind, text = mutator.next()
        reader = choice.choice(READERS)
        crypto.reset()
        found = judge(text, TRUST, DenyList(), reader, AT, 0, choice.choice((cache, None)))
        where = f"seed {seed}, number {number}, {kind}: {text!r}"
        assert isinstance(found, Rejected) or text in TEXTS, where
        assert crypto.verifications <= 2 and crypto.key_loads <= 1, where
        seen[found.reason if isinstance(found, Rejected) else "accepted"] += 1
    return seen


@pytest.mark.parametrize("reader", READERS)
def test_the_codes_that_are_mutated_are_good(reader: ReaderRules) -> None:
    found = [judge(text, TRUST, DenyList(), reader, AT) for text in sorted(TEXTS)]
    assert [isinstance(it, Accepted) for it in found] == [True] * len(GOODS)


def test_a_seed_makes_the_same_mutations_again() -> None:
    first, second = Mutator(good_codes(10_000), 7), Mutator(good_codes(10_000), 7)
    assert [first.next() for _ in range(300)] == [second.next() for _ in range(300)]


@pytest.mark.parametrize("seed", seeds(SEEDS["quick"]["seed"]))
def test_case_31_some_mutated_codes_are_never_accepted_and_never_raise(
    seed: int, crypto: Crypto
) -> None:
    seen = _fuzz(seed, SEEDS["quick"]["codes"], crypto)
    assert seen["bad_device_signature"] > 100 and seen["bad_issuer_signature"] > 100
    assert seen["unreadable"] > 100 and seen["unknown_key"] and seen["unknown_version"]


@pytest.mark.heavy
@pytest.mark.parametrize("seed", SEEDS["heavy"]["seeds"])
def test_case_31_very_many_mutated_codes_are_never_accepted_and_never_raise(
    seed: int, crypto: Crypto
) -> None:
    _fuzz(seed, SEEDS["heavy"]["codes_a_seed"], crypto)


def test_the_heavy_seeds_are_200_000_codes_at_least() -> None:
    heavy = SEEDS["heavy"]
    assert len(set(heavy["seeds"])) * heavy["codes_a_seed"] >= 200_000


@pytest.mark.parametrize("kept", SEEDS["texts"], ids=lambda kept: kept["why"])
def test_case_31_texts_that_were_kept_are_refused(kept: dict[str, str], crypto: Crypto) -> None:
    crypto.reset()
    found = judge(kept["text"], TRUST, DenyList(), READERS[1], AT)
    assert isinstance(found, Rejected) and found.reason == kept["reason"]
    assert crypto.verifications <= 2 and crypto.key_loads <= 1
