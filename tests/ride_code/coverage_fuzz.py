"""Coverage-guided fuzzing of everything that strangers may send a reader; optional.

The same promises as in the seeded tests, searched by atheris, which follows the branches taken:

    pip install atheris
    python tests/ride_code/coverage_fuzz.py -max_total_time=600

It begins with the golden vectors. An input that breaks a promise ends the run and lies in the
working folder: it belongs into ``fuzz_seeds.json`` or a test, and stays there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["transitpay.ride_code"]):
    import test_code_fuzz as codes
    import test_mot_fuzz as mot
    import test_protocol_fuzz as protocol

    from transitpay.ride_code.deny_list import DenyList
    from transitpay.ride_code.golden import ride_codes as golden
    from transitpay.ride_code.layout import write_text
    from transitpay.ride_code.received import text_of
    from transitpay.ride_code.trust_list import TrustList
    from transitpay.ride_code.verdict import Rejected, judge

TRUST = TrustList.of(1, [*codes.TRUST.keys.values(), *mot.TRUST.keys.values()])
GOOD = codes.TEXTS | mot.TEXTS
READERS = [*codes.READERS, *mot.READERS]


def one_input(data: bytes) -> None:
    """The first byte chooses the door, the rest is what comes through it."""
    door, rest = data[:1], data[1:]
    match door:
        case b"r":
            protocol._record(rest)
        case b"b":
            protocol._batch(rest)
        case b"l":
            protocol._list(rest)
        case _:
            text = write_text(rest) if door == b"t" else text_of(rest)
            for reader in READERS:
                found = judge(text, TRUST, DenyList(), reader, codes.AT)
                assert isinstance(found, Rejected) or text in GOOD


def seeds() -> list[bytes]:
    """The golden vectors, and the good codes that no other may pass for."""
    found = [b"t" + good.data for good in codes.GOODS] + [b"m" + it.data for it in mot.GOODS]
    for name in ("ride-code", "mot"):
        found += [
            b"x" + v["text"].encode() for v in json.loads(golden.shipped_text(name))["vectors"]
        ]
    for letter, corpus in zip(
        b"rbl", (protocol.RECORDS, protocol.BATCHES, protocol.LISTS), strict=True
    ):
        found += [bytes((letter,)) + data for data in corpus]
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, folder], one_input)
        atheris.Fuzz()
