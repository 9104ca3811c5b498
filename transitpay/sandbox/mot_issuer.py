"""A root, an issuer and a phone of the Ministry of Transport format, for tests and the sandbox.

Signing here takes no constant time, so no key of it may ever guard anything.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace

from transitpay.ride_code.mot import curve, layout, signing
from transitpay.ride_code.mot.layout import Certificate, MotAuthorisation, MotCode
from transitpay.ride_code.mot.signing import Sm2Key

ORDER = curve.ORDER
_CARD_ACCOUNT = bytes.fromhex("31048700000000000000")


@dataclass(frozen=True, slots=True)
class SandboxSm2Key:
    """A private key that only tests may trust."""

    scalar: int
    public: Sm2Key

    @staticmethod
    def of(scalar: int) -> SandboxSm2Key:
        """The key of a number from 1 to the order less 2."""
        point = curve.sum_of_multiples(scalar, 0, curve.multiples(curve.GENERATOR))
        assert point is not None
        public = signing.load_key(curve.compress(point))
        assert public is not None
        return SandboxSm2Key(scalar, public)

    @staticmethod
    def named(label: str) -> SandboxSm2Key:
        """The TEST ONLY key of a label, the same in every run."""
        named = hashlib.sha512(f"TransitPay TEST ONLY {label}".encode()).digest()
        return SandboxSm2Key.of(int.from_bytes(named, "big") % (ORDER - 2) + 1)

    @staticmethod
    def generate() -> SandboxSm2Key:
        """A new key."""
        return SandboxSm2Key.of(secrets.randbelow(ORDER - 2) + 1)

    def sign(self, message: bytes) -> bytes:
        """r || s; the same in every run, for the nonce comes from key and message.

        Source: GB/T 32918.2, section 6.1.
        """
        e, d = signing.digest(self.public, message), self.scalar
        for attempt in range(100):
            told = b"%064x %064x %d" % (d, e, attempt)
            k = int.from_bytes(hashlib.sha512(told).digest(), "big") % (ORDER - 1) + 1
            point = curve.sum_of_multiples(k, 0, self.public.multiples)
            assert point is not None
            r = (e + int(point[0])) % ORDER
            s = pow(1 + d, -1, ORDER) * (k - r * d) % ORDER
            if r and s and (r + s) % ORDER:
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        raise AssertionError("a hundred nonces in a row are bad")


@dataclass(frozen=True, slots=True)
class SandboxIssuer:
    """An issuer under a root; the root's number is what codes and trust lists call it."""

    root: SandboxSm2Key
    root_number: int
    key: SandboxSm2Key
    issuer_id: bytes = bytes.fromhex("01055840")
    expires: tuple[int, int] = (2030, 12)

    @property
    def certificate(self) -> Certificate:
        """What the root says of this issuer."""
        unsigned = Certificate(
            self.root_number, self.issuer_id, self.expires, b"\x00\x00\x01", self.key.public.data,
            bytes(64),
        )  # fmt: skip
        signed = layout.encode_certificate_unsigned(unsigned)[layout.ROOT_SIGNED]
        return replace(unsigned, signature=self.root.sign(signed))

    def authorise(
        self,
        user_key: bytes,
        expires_at: int,
        *,
        account: bytes = b"3104870000000001",
        ceiling_fen: int = 3500,
        code_life_s: int = 600,
        account_type: int = 0,
        extension: bytes = b"",
        local: bool = False,
    ) -> tuple[MotAuthorisation, bytes]:
        """An authorisation and the issuer's signature of it."""
        roots = layout.LOCAL_ROOTS if local else layout.INTEROPERABLE_ROOTS
        it = MotAuthorisation(
            roots + self.root_number, self.issuer_id, account, _CARD_ACCOUNT,
            self.issuer_id, self.issuer_id, account_type, ceiling_fen, user_key, expires_at,
            code_life_s, extension,
        )  # fmt: skip
        return it, self.key.sign(layout.encode_authorisation(it))


def draw(
    issuer: SandboxIssuer, authorised: tuple[MotAuthorisation, bytes], user: SandboxSm2Key, at: int
) -> bytes:
    """The bytes of a code drawn at ``at`` (UTC seconds since 1970)."""
    it, signature = authorised
    unsigned = MotCode(issuer.certificate, it, signature, at, bytes(64))
    return layout.encode(
        replace(unsigned, device_signature=user.sign(layout.encode_unsigned(unsigned)))
    )
