"""Mutated ride codes, each a function of (seed, number) alone, so that a finding is a line to keep.

The good codes come from TEST ONLY keys that are derived from labels and sign by RFC 6979. What a
mutation may do: everything that needs no good key. It changes bits, fields, signatures, lengths
and spellings, splices riders, and signs anew with keys of its own or of the wrong party.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from byte_mutations import ByteMutator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from transitpay.money import CNY, HKD
from transitpay.ride_code import base45, keys, layout, signing
from transitpay.ride_code.layout import Authorisation, RideCode
from transitpay.ride_code.signing import IssuerPrivateKey

#: Offsets where a field begins; the end of the code closes the last.
FIELDS = (0, 1, 3, 11, 15, 48, 52, 53, 54, 56, 57, 59, 60, 61, 63, 65, 97, 129, 133, 135, 136, 168,
          200)  # fmt: skip
#: Where a signature and its halves stand.
SIGNATURES = ((65, 129), (136, 200))
ISSUER_SIGNED, DEVICE_SIGNED = 65, 136
N = signing.P256_ORDER
_EDGES = (0, 1, N, N - 1, N // 2, N // 2 + 1, signing.ED25519_ORDER, 2**255, 2**256 - 1)
_DETERMINISTIC = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_TAGS = (signing.ISSUER_TAG, signing.DEVICE_TAG, b"")


def device(label: str) -> ec.EllipticCurvePrivateKey:
    """The TEST ONLY P-256 key of a label."""
    return ec.derive_private_key(int.from_bytes(_digest(label), "big") % (N - 1) + 1, _CURVE)


def issuer(label: str, key_id: int) -> IssuerPrivateKey:
    """The TEST ONLY issuer key of a label: ES256 for odd key ids, Ed25519 for even ones."""
    if key_id % 2:
        return device(f"{label} issuer {key_id}")
    return ed25519.Ed25519PrivateKey.from_private_bytes(_digest(f"{label} issuer {key_id}"))


def _digest(label: str) -> bytes:
    return hashlib.sha256(f"TransitPay TEST ONLY fuzz {label}".encode()).digest()


_CURVE = ec.SECP256R1()
ISSUERS = {key_id: issuer("good", key_id) for key_id in (1, 2)}
#: Keys of nobody: an attacker has as many as he likes.
STRANGERS = {key_id: issuer("stranger", key_id) for key_id in (1, 2)}


def sign(key: IssuerPrivateKey, message: bytes) -> bytes:
    """The same 64 bytes in every run."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return signing.low_s(key.sign(message, _DETERMINISTIC))
    return key.sign(message)


@dataclass(frozen=True)
class Good:
    """A code that is accepted, and the device key that drew it."""

    data: bytes
    device: ec.EllipticCurvePrivateKey


def good_codes(now: int, riders: int = 4) -> list[Good]:
    """Accepted codes of some riders of both issuers, two of each rider."""
    found = []
    for n in range(riders):
        phone = device(f"device {n}")
        it = Authorisation(
            1 + n % 2, f"{n + 1:016x}", 5 + n, keys.public_bytes(phone), now - 3600, 24, 60, 200,
            (HKD, CNY)[n % 2], 0b11, 0b11, 0, 2, 2000,
        )  # fmt: skip
        part = sign(ISSUERS[it.key_id], signing.ISSUER_TAG + layout.encode_authorisation(it))
        for counter in (1, 2):
            unsigned = layout.encode_unsigned(RideCode(it, part, now - 5, counter, 0, counter - 1))
            found.append(Good(unsigned + sign(phone, signing.DEVICE_TAG + unsigned), phone))
    return found


class Mutator(ByteMutator[Good]):
    """Makes mutated texts from good codes; the same seed makes the same texts."""

    def __init__(self, goods: Sequence[Good], seed: int) -> None:
        super().__init__(
            goods, seed, FIELDS, layout.write_text,
            (self.flip, self.field, self.signature, self.splice, self.shorten, self.extend,
             self.respell, self.letters, self.wrong_device, self.wrong_issuer, self.own_keys),
        )  # fmt: skip

    def signature(self) -> str:
        """A signature stripped, malleated, at an edge, halves swapped, or the other one's."""
        data = self._bytes()
        start, end = self._random.choice(SIGNATURES)
        r, s = data[start : start + 32], data[start + 32 : end]
        edge = self._random.choice(_EDGES).to_bytes(32, "big")
        twin = ((N - int.from_bytes(s, "big")) % N).to_bytes(32, "big")
        other = self._bytes()[slice(*self._random.choice(SIGNATURES))]
        wrapped = ((int.from_bytes(s, "little") + signing.ED25519_ORDER) % 2**256).to_bytes(
            32, "little"
        )
        data[start:end] = self._random.choice(
            (bytes(64), r + twin, s + r, r + edge, edge + s, edge + edge, other, r + wrapped)
        )
        return layout.write_text(data)

    def splice(self) -> str:
        """One rider's code up to some offset, another's from there on."""
        at = self._random.choice((*FIELDS[1:-1], self._random.randint(1, 199)))
        return layout.write_text(self._bytes()[:at] + self._bytes()[at:])

    def shorten(self) -> str:
        """Bytes or characters cut off at either end or out of the middle."""
        data, text = self._bytes(), layout.write_text(self._bytes())
        cut = self._random.choice((1, 2, 3, 64, 65, self._random.randint(1, 199)))
        at = self._random.randint(0, len(text) - 1)
        return self._random.choice(
            (layout.write_text(data[:-cut]), layout.write_text(data[cut:]), text[:at], text[at:],
             text[:at] + text[at + cut :])
        )  # fmt: skip

    def extend(self) -> str:
        """More bytes or characters."""
        data, text = self._bytes(), layout.write_text(self._bytes())
        more = self._random.randbytes(self._random.randint(1, 70))
        tail = self._random.choice(("\n", "\r\n", " ", "\x00", "0", "000", text, text[4:]))
        return self._random.choice(
            (layout.write_text(data + more), layout.write_text(more + data), text + tail,
             tail + text, layout.write_text(data + data))
        )  # fmt: skip

    def respell(self) -> str:
        """The same code in another spelling, as a careless reader would take it."""
        text = layout.write_text(self._bytes())
        at = 4 + 3 * self._random.randrange(100)
        low, middle, high = (base45.ALPHABET.index(c) for c in text[at : at + 3])
        value = low + 45 * middle + 2025 * high + self._random.choice((65536, -65536, 45, 2025))
        high, rest = divmod(value, 2025)
        same = "".join(base45.ALPHABET[d] for d in (rest % 45, rest // 45, min(max(high, 0), 44)))
        return self._random.choice(
            (text.lower(), text[:4] + text[4:].lower(), "tp1:" + text[4:], "TP2:" + text[4:],
             text[4:], text[:at] + same + text[at + 3 :], text[:at] + " " + text[at:],
             text.replace(" ", "%20"), text.replace(" ", "+"), text[:at] + "\u200b" + text[at:],
             text[:at] + text[at].translate({c: 0xFEE0 + c for c in range(33, 127)})
             + text[at + 1 :], "\ufeff" + text, text[:at] + "\u0661" + text[at + 1 :])
        )  # fmt: skip

    def letters(self) -> str:
        """Characters changed, swapped or put in, of the alphabet and of anywhere."""
        text = list(layout.write_text(self._bytes()))
        for _ in range(self._random.randint(1, 3)):
            at = self._random.randrange(len(text))
            anywhere = chr(self._random.choice((self._random.randrange(0x20), 0xD800, 0x1F687)))
            text[at] = self._random.choice((self._random.choice(base45.ALPHABET), anywhere))
        return "".join(text)

    def wrong_device(self) -> str:
        """The device part changed, and signed by another device, or under another tag."""
        good, data = self._good(), self._bytes()
        start = self._random.choice((129, 0))
        self._edit(data, start, DEVICE_SIGNED)
        others = [g.device for g in self._goods if g.device is not good.device]
        key = self._random.choice((STRANGERS[1], *others))
        if data[15:48] == keys.public_bytes(key):
            key = STRANGERS[1]
        signed = bytes(data[:DEVICE_SIGNED])
        return layout.write_text(signed + sign(key, self._random.choice(_TAGS) + signed))

    def wrong_issuer(self) -> str:
        """An authorisation of the attacker's choice, signed by a key that is not this issuer's."""
        data, phone = self._bytes(), device("stranger phone")
        data[15:48] = keys.public_bytes(phone)
        self._edit(data, 0, 65)
        number = int.from_bytes(data[1:3], "big")
        pool = [*STRANGERS.values(), *(k for n, k in ISSUERS.items() if n != number), phone]
        part = bytes(data[:ISSUER_SIGNED])
        tag = self._random.choice(_TAGS)
        data[65:129] = sign(self._random.choice(pool), tag + part)
        signed = bytes(data[:DEVICE_SIGNED])
        return layout.write_text(signed + sign(phone, signing.DEVICE_TAG + signed))

    def own_keys(self) -> str:
        """A stranger's device key under a good issuer signature, and everything signed by it."""
        data, phone = self._bytes(), device("stranger phone")
        data[15:48] = keys.public_bytes(phone)
        signed = bytes(data[:DEVICE_SIGNED])
        return layout.write_text(signed + sign(phone, signing.DEVICE_TAG + signed))
