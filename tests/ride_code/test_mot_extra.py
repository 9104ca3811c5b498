"""Without the extra `mot` a Ministry of Transport code is an unknown version; all else works."""

from __future__ import annotations

import json
import subprocess
import sys

from mot_scheme import AT, MotScheme
from ride_code_scheme import Scheme

from transitpay.ride_code.layout import encode, write_text
from transitpay.ride_code.mot import layout

#: Judges texts in a Python in which gmpy2 cannot be found or imported.
WITHOUT = """
import importlib.abc, json, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "gmpy2":
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "gmpy2" else real(name, *rest)
from datetime import datetime
from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.mot import curve, signing
from transitpay.ride_code.trust_list import TrustList
from transitpay.ride_code.verdict import ReaderRules, Rejected, judge
from transitpay.taps import Direction
asked = json.load(sys.stdin)
trust = TrustList.from_object(asked["trust"])
told = []
for text, destination in asked["codes"]:
    rules = ReaderRules(destination, 0, Direction.ENTRY)
    found = judge(text, trust, DenyList(), rules, datetime.fromisoformat(asked["at"]))
    told.append(found.reason if isinstance(found, Rejected) else "accepted")
print(json.dumps([signing.available(), type(curve.P).__name__, "gmpy2" in sys.modules, told]))
"""


def test_without_the_extra_the_format_is_unknown_and_everything_else_works(
    mot: MotScheme, scheme: Scheme
) -> None:
    trust = scheme.trust().to_object()
    keys = trust["keys"]
    assert isinstance(keys, list)
    keys += mot.trust().to_object()["keys"]  # type: ignore[operator] # a list of key records
    text = layout.write_text(mot.data())
    codes = [
        (write_text(encode(scheme.code())), 0), (text, 1), (text[:-1], 1), ("MOT:", 1),
        (write_text(encode(scheme.code(age_s=61))), 0),
    ]  # fmt: skip
    asked = {"trust": trust, "codes": codes, "at": AT.isoformat()}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], input=json.dumps(asked), capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    available, number, imported, told = json.loads(done.stdout)
    assert (available, number, imported) == (False, "int", False)
    assert told == ["accepted", "unknown_version", "unknown_version", "unknown_version",
                    "code_stale"]  # fmt: skip
    assert mot.reason(text) == "accepted"
