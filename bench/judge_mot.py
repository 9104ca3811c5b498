"""Measures judging a Ministry of Transport code against its floor, the bare SM2 verifications.

Three cases: an issuer not met before (3 verifications, 2 key loads), a known issuer (2 and 1), a
known authorisation (1 and none). Floor and figure alternate in one run; each is the median.

    python bench/judge_mot.py [--json] [--quick] [--codes 60] [--rounds 9]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.mot import layout, signing
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import Algorithm, IssuerKey, TrustList
from transitpay.ride_code.verdict import Accepted, ReaderRules, judge
from transitpay.sandbox.mot_issuer import SandboxIssuer, SandboxSm2Key, draw
from transitpay.taps import Direction

AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())


def measure(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Case -> median milliseconds per code, and the same of its verifications and loads alone."""
    issuer = SandboxIssuer(SandboxSm2Key.generate(), 1, SandboxSm2Key.generate())
    users = [SandboxSm2Key.generate() for _ in range(count)]
    codes = [draw(issuer, issuer.authorise(u.public.data, NOW + 9), u, NOW) for u in users]
    texts = [layout.write_text(code) for code in codes]
    record = IssuerKey(
        layout.INTEROPERABLE_ROOTS + 1, Algorithm.SM2, issuer.root.public.data, "t-union", 2, 1,
        AT - timedelta(1), AT + timedelta(1),
    )  # fmt: skip
    trust, deny, reader = TrustList.of(1, [record]), DenyList(), ReaderRules(1, 0, Direction.ENTRY)
    warm = SignatureCache(8 * count)

    def judged(cache: Callable[[], SignatureCache | None]) -> None:
        for text in texts:
            assert type(judge(text, trust, deny, reader, AT, 0, cache())) is Accepted

    def known_issuer() -> SignatureCache:
        found = SignatureCache(8)
        certificate = codes[0][3:120]
        found.remember_sm2(record.cache_label, certificate, issuer.key.public)
        return found

    def floor(verifications: int, loads: int) -> None:
        for user, code in zip(users, codes, strict=True):
            for _ in range(loads):
                signing.load_key(user.public.data)
            for _ in range(verifications):
                signing.verify(user.public, code[-64:], code[:-65])

    works: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "unseen_issuer": (lambda: judged(lambda: None), lambda: floor(3, 2)),
        "known_issuer": (lambda: judged(known_issuer), lambda: floor(2, 1)),
        "known_authorisation": (lambda: judged(lambda: warm), lambda: floor(1, 0)),
    }
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in works}
    judged(lambda: warm)
    for _ in range(rounds):
        for name, pair in works.items():
            for work, times in zip(pair, taken[name], strict=True):
                started = time.perf_counter()
                work()
                times.append((time.perf_counter() - started) / count * 1e3)
    medians = {name: [statistics.median(t) for t in pair] for name, pair in taken.items()}
    return {
        name: {"ms": round(ms, 3), "floor_ms": round(floor_ms, 3), "ratio": round(floor_ms / ms, 2)}
        for name, (ms, floor_ms) in medians.items()
    }


def main() -> int:
    """Exit code 0: it was measured. What was measured decides nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer codes and rounds")
    parser.add_argument("--codes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    if given.quick:
        given.codes, given.rounds = 20, 3
    told = measure(given.codes, given.rounds)
    if given.json:
        print(json.dumps({"bench": "judge_mot", "codes": given.codes, **told}))
    else:
        for name, numbers in told.items():
            print(f"{name}: {numbers}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
