"""The SM2 curve in whole numbers: points, and the one sum that verifying a signature needs.

Only public values come here, so nothing has to take constant time. Points that are added are
affine (x, y); sums are Jacobian (X, Y, Z) with x = X/Z^2, y = Y/Z^3, and Z = 0 for the identity.
With ``gmpy2`` the numbers are its integers, without it Python's own, which take about four times
as long; the results are the same.

Source: GB/T 32918.5 (the curve); the formulas for a = -3 are those of Jacobian coordinates in
any book on elliptic curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec

#: Whether the integers are those of gmpy2.
FAST = find_spec("gmpy2") is not None
if FAST:
    from gmpy2 import mpz as _number
else:
    _number = int

#: Prime of the field, constant b (a is -3), order and generator.
P = _number(0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF)
B = _number(0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93)
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GENERATOR = (
    _number(0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7),
    _number(0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0),
)
_GENERATOR_WIDTH, _KEY_WIDTH = 8, 5

Affine = tuple[int, int]
_Jacobian = tuple[int, int, int]
_IDENTITY: _Jacobian = (_number(1), _number(1), _number(0))


def decompress(data: bytes) -> Affine | None:
    """The point of 33 bytes (02 or 03, then x), or None where there is no such point."""
    if len(data) != 33 or data[0] not in (2, 3):
        return None
    x = _number(int.from_bytes(data[1:], "big"))
    if x >= P:
        return None
    square = (x * x * x - 3 * x + B) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return (x, y if y % 2 == data[0] % 2 else P - y)


def compress(point: Affine) -> bytes:
    """The 33 bytes of a point."""
    return bytes((2 + int(point[1] % 2),)) + int(point[0]).to_bytes(32, "big")


def multiples(point: Affine) -> Sequence[Affine]:
    """1, 3, 5 ... 15 times a point: what ``sum_of_multiples`` wants of a key."""
    return _odd_multiples(point, _KEY_WIDTH)


def sum_of_multiples(u: int, v: int, key: Sequence[Affine]) -> Affine | None:
    """u times the generator plus v times the point of ``key``; None for the identity.

    Both factors are below the order. The doublings are shared, the digits are odd and sparse.
    """
    base = _generator_multiples()
    ours, theirs = _digits(u, _GENERATOR_WIDTH), _digits(v, _KEY_WIDTH)
    total = _IDENTITY
    for place in range(max(len(ours), len(theirs)) - 1, -1, -1):
        total = _double(total)
        for digits, table in ((ours, base), (theirs, key)):
            digit = digits[place] if place < len(digits) else 0
            if digit:
                x, y = table[abs(digit) >> 1]
                total = _add(total, (x, y if digit > 0 else P - y))
    return _affine(total)


@lru_cache(maxsize=1)
def _generator_multiples() -> Sequence[Affine]:
    return _odd_multiples(GENERATOR, _GENERATOR_WIDTH)


def _odd_multiples(point: Affine, width: int) -> Sequence[Affine]:
    """1, 3, 5 ... 2^(width-1) - 1 times a point (width 5: 8 points), affine by one inversion."""
    twice = _affine(_double((point[0], point[1], _number(1))))
    assert twice is not None, "the order is odd"
    found: list[_Jacobian] = [(point[0], point[1], _number(1))]
    for _ in range((1 << width - 2) - 1):
        found.append(_add(found[-1], twice))
    products = [_number(1)]
    for _, _, z in found:
        products.append(products[-1] * z % P)
    inverse = pow(products.pop(), -1, P)
    table: list[Affine] = []
    for (x, y, z), before in zip(reversed(found), reversed(products), strict=True):
        i = inverse * before % P
        inverse = inverse * z % P
        table.append((x * i * i % P, y * i * i % P * i % P))
    return table[::-1]


def _digits(value: int, width: int) -> list[int]:
    """Signed digits of ``value``, lowest first: each 0 or odd and below 2^(width-1) in size, and
    after one that is not 0 come ``width`` - 1 that are."""
    found: list[int] = []
    full, half = 1 << width, 1 << width - 1
    while value:
        zeros = (value & -value).bit_length() - 1
        value >>= zeros
        digit = value & full - 1
        if digit >= half:
            digit -= full
        found += [0] * zeros
        found.append(digit)
        value = value - digit >> 1
    return found


def _double(it: _Jacobian) -> _Jacobian:
    x, y, z = it
    delta, gamma = z * z % P, y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, 2 * y * z % P


def _add(it: _Jacobian, other: Affine) -> _Jacobian:
    x1, y1, z1 = it
    x2, y2 = other
    if not z1:
        return x2, y2, _number(1)
    square = z1 * z1 % P
    h = (x2 * square - x1) % P
    r = (y2 * square % P * z1 - y1) % P
    if not h:
        return _IDENTITY if r else _double(it)
    h2 = h * h % P
    h3, v = h * h2 % P, x1 * h2 % P
    x3 = (r * r - h3 - 2 * v) % P
    return x3, (r * (v - x3) - y1 * h3) % P, z1 * h % P


def _affine(it: _Jacobian) -> Affine | None:
    x, y, z = it
    if not z:
        return None
    i = pow(z, -1, P)
    return x * i * i % P, y * i * i % P * i % P
