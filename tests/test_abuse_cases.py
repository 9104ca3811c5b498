"""Every abuse case that this project answers for has a test that carries its number.

A test of case 7 is called ``test_case_07_...``, wherever it stands; one of the mistakes that others
made, ``test_lesson_2_...``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent

CASES = {
    1: "the same code at the same gate 0.2 s later",
    2: "the same code at two gates in the same millisecond, two gateway processes",
    3: "the same code for entry and exit",
    4: "a screenshot of 59 and 61 s",
    5: "A, B and A again",
    6: "replay after a restart",
    7: "a malleated signature, s to n - s",
    8: "the same bytes in another spelling",
    9: "impossible travel",
    10: "two phones restored from one backup",
    11: "a companion's slot reused, slot 3",
    12: "codes drawn for later",
    13: "a code dated a year ago, the year's end, 29 February",
    14: "the device signature stripped",
    15: "the issuer signature stripped",
    16: "both signatures by an attacker's keys",
    17: "another algorithm than the key record's",
    18: "another issuer's key id",
    19: "the issuer swapped",
    20: "a key revoked, not yet valid, or expired between drawing and scan",
    21: "a test key in production",
    22: "no point of the curve, the identity, r or s = 0 or >= n",
    23: "A's device signature on B's issuer part",
    24: "a signature made for another kind of message",
    25: "trailing bytes",
    26: "every truncation",
    27: "a declared length beyond what is there",
    28: "a body of 16 MB",
    29: "an unknown version",
    30: "NUL, digits of other scripts, right-to-left text",
    31: "mutations of any kind",
    32: "the wrong region, operator or mode",
    33: "a ceiling below the possible fare",
    34: "a deny list that comes between entry and exit, is rolled back, truncated, stale",
    35: "more codes offline than the quota",
    36: "first rides farmed with fresh accounts",
    37: "a gate's clock off by 20 s, 5 min, a day, and set back",
    38: "a phone 20 and 21 s ahead",
    39: "a batch uploaded twice, and at the same time",
    40: "batches reversed and interleaved",
    41: "an exit before its entry, an entry after its exit was charged alone",
    42: "a gap in the sequence",
    43: "the same sequence with other content",
    44: "a reader that was dead for 8 days",
    45: "a full store",
    46: "power lost between decision and record",
    47: "a record of a withdrawn reader, from the future, signed by the wrong key",
    48: "150 and 210 minutes, a second less and a second more",
    49: "in and out at one station within 20 minutes, a second more, and at Lo Wu",
    50: "entry and entry, exit and exit",
    51: "a station opened in an emergency: thousands of missing exits at once",
    52: "the amnesty for a delay that the operator caused",
    53: "in with wallet A, out with wallet B",
    54: "a fare table or rate that changes on the way, at midnight, on late arrival",
}
LESSONS = {
    1: "a stripped signature is fraud, not an absence",
    2: "no hash of the bytes is a replay key",
    3: "no code without its time, none of tomorrow, no clock without a year",
    4: "the algorithm is the key record's",
    5: "each party's key, over the received bytes",
    6: "a memory longer than one code, that outlives a restart, and spends nothing too early",
    7: "nothing is decompressed",
    8: "no secret is shared",
    9: "a refusal looks like nothing else",
}


def numbered(pattern: str) -> Iterator[int]:
    """The numbers of all test functions whose name begins with the pattern."""
    for path in sorted(HERE.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found = re.match(pattern, node.name)
                if found:
                    yield int(found[1])


@pytest.mark.parametrize(
    ("pattern", "owed"), [(r"test_case_(\d\d)_", CASES), (r"test_lesson_(\d)_", LESSONS)]
)
def test_every_owed_case_has_a_test_and_every_number_is_of_a_case(
    pattern: str, owed: dict[int, str]
) -> None:
    tested = set(numbered(pattern))
    assert {n: what for n, what in owed.items() if n not in tested} == {}
    assert sorted(tested - {*range(1, 55)}) == []
