"""The arithmetic under the second format: the standard's example, and what any group must obey."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from transitpay.ride_code.mot import curve, signing
from transitpay.ride_code.mot.curve import GENERATOR, ORDER, multiples, sum_of_multiples

BASE = multiples(GENERATOR)
#: The example of a signature in GM/T 0003.5 (GB/T 32918.5), annex A.
EXAMPLE_KEY = "0309f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
EXAMPLE_SIGNATURE = (
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def times(factor: int) -> curve.Affine | None:
    return sum_of_multiples(factor % ORDER, 0, BASE)


def test_the_example_of_the_standard_verifies() -> None:
    key = signing.load_key(bytes.fromhex(EXAMPLE_KEY))
    assert key is not None
    signature = bytes.fromhex(EXAMPLE_SIGNATURE)
    assert signing.verify(key, signature, b"message digest")
    assert not signing.verify(key, signature, b"message digesu")
    for wrong in (signature[:-1], signature + b"\x00", b""):
        assert not signing.verify(key, wrong, b"message digest")


def test_the_generator_has_the_order_of_the_curve() -> None:
    assert times(1) == GENERATOR and times(0) is None
    last = times(ORDER - 1)
    assert last is not None and last[0] == GENERATOR[0] and last[1] == curve.P - GENERATOR[1]


def test_sums_of_multiples_are_linear_also_where_points_meet() -> None:
    choice = random.Random(20260701)
    for secret in [1, 2, 3, ORDER - 1, *(choice.randrange(1, ORDER) for _ in range(12))]:
        point = times(secret)
        assert point is not None
        table = multiples(point)
        assert list(table) == [times((2 * n + 1) * secret) for n in range(8)]
        pairs = [(choice.randrange(ORDER), choice.randrange(ORDER)) for _ in range(4)]
        pairs += [(secret, 1), (ORDER - secret, 1), (0, 1), (1, 0), (0, 0), (0, ORDER - 1)]
        for u, v in pairs:
            assert sum_of_multiples(u, v, table) == times(u + v * secret)


def test_a_point_has_one_spelling_of_33_bytes() -> None:
    choice = random.Random(7)
    for _ in range(50):
        point = times(choice.randrange(1, ORDER))
        assert point is not None
        data = curve.compress(point)
        assert curve.decompress(data) == point
        assert curve.decompress(bytes((data[0] ^ 1,)) + data[1:]) == (point[0], curve.P - point[1])


@pytest.mark.parametrize(
    "data",
    [b"", b"\x02" + bytes(31), b"\x02" + bytes(33), b"\x04" + bytes(32), b"\x00" + bytes(32),
     b"\x02" + b"\xff" * 32, b"\x02" + int(curve.P).to_bytes(32, "big")],
)  # fmt: skip
def test_what_is_no_point_is_none(data: bytes) -> None:
    assert curve.decompress(data) is None
    assert signing.load_key(data) is None


def test_about_half_of_all_numbers_are_the_x_of_a_point() -> None:
    found = [curve.decompress(b"\x02" + x.to_bytes(32, "big")) for x in range(1, 401)]
    points = [point for point in found if point is not None]
    assert 150 < len(points) < 250
    assert all((y * y - (x * x * x - 3 * x + curve.B)) % curve.P == 0 for x, y in points)


def test_pythons_own_integers_give_the_same_results() -> None:
    program = f"""
import importlib.util, json
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "gmpy2" else real(name, *rest)
from transitpay.ride_code.mot import curve, signing
key = signing.load_key(bytes.fromhex("{EXAMPLE_KEY}"))
good = signing.verify(key, bytes.fromhex("{EXAMPLE_SIGNATURE}"), b"message digest")
print(json.dumps([curve.FAST, good, curve.sum_of_multiples(12345, 67890, key.multiples)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    fast, good, point = json.loads(done.stdout)
    key = signing.load_key(bytes.fromhex(EXAMPLE_KEY))
    assert key is not None
    assert (fast, good) == (False, True)
    assert tuple(point) == sum_of_multiples(12345, 67890, key.multiples)
