"""Mutated Ministry of Transport codes, each a function of (seed, number) alone.

As with our own code a mutation may do everything that needs no good key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from byte_mutations import ByteMutator

from transitpay.ride_code.mot import curve, layout
from transitpay.ride_code.mot.layout import MotCode, write_text
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.sandbox.mot_issuer import SandboxIssuer, SandboxSm2Key, draw

#: Offsets where a field of a code without an extension begins; its end closes the last.
FIELDS = (0, 1, 3, 4, 8, 9, 10, 14, 16, 19, 20, 21, 22, 23, 56, 88, 120, 136, 146, 150, 154,
          155, 158, 191, 195, 197, 198, 199, 231, 263, 267, 268, 300, 332)  # fmt: skip
SIGNATURES = (56, 199, 268)
ROOT = SandboxSm2Key.named("fuzz mot root")
ISSUER = SandboxIssuer(ROOT, 1, SandboxSm2Key.named("fuzz mot issuer"))
#: Everything that an attacker makes himself, down to a root of the same number.
STRANGER = SandboxSm2Key.named("fuzz mot stranger")
_N = curve.ORDER
_EDGES = (0, 1, _N, _N - 1, _N + 1, 2**256 - 1)


@dataclass(frozen=True)
class Good:
    """A code that is accepted, and the user key that drew it."""

    data: bytes
    user: SandboxSm2Key


def good_codes(now: int) -> list[Good]:
    """Accepted codes of two riders, two of each, one with an extension."""
    found = []
    for rider in range(2):
        user = SandboxSm2Key.named(f"fuzz mot user {rider}")
        authorised = ISSUER.authorise(
            user.public.data, now + 3600 + rider, account=b"310487000000000%d" % rider,
            extension=b"extension" * rider,
        )  # fmt: skip
        found += [Good(draw(ISSUER, authorised, user, now - age), user) for age in (3, 4)]
    return found


def trust_list(at: datetime) -> TrustList:
    """The one root, for both kinds of code."""
    day = timedelta(1)
    return TrustList.of(
        1,
        [
            IssuerKey(
                number, Algorithm.SM2, ROOT.public.data, "t-union", 3, 3, at - day, at + day
            )
            for number in (layout.INTEROPERABLE_ROOTS + 1, layout.LOCAL_ROOTS + 1)
        ],
    )  # fmt: skip


class MotMutator(ByteMutator[Good]):
    """Makes mutated texts from good codes; the same seed makes the same texts."""

    def __init__(self, goods: Sequence[Good], seed: int) -> None:
        super().__init__(
            goods, seed, FIELDS, write_text,
            (self.flip, self.field, self.signature, self.splice, self.shorten, self.extend,
             self.respell, self.wrong_user, self.wrong_issuer, self.own_chain),
        )  # fmt: skip

    def signature(self) -> str:
        """A signature stripped, mirrored, at an edge, halves swapped, or another one."""
        data = self._bytes()
        at, other = self._random.choice(SIGNATURES), self._random.choice(SIGNATURES)
        r, s = bytes(data[at : at + 32]), bytes(data[at + 32 : at + 64])
        edge = self._random.choice(_EDGES).to_bytes(32, "big")
        mirrored = ((_N - int.from_bytes(s, "big")) % 2**256).to_bytes(32, "big")
        opposite = ((_N - int.from_bytes(r, "big")) % 2**256).to_bytes(32, "big")
        data[at : at + 64] = self._random.choice(
            (bytes(64), r + mirrored, s + r, r + edge, edge + s, edge + edge, r + opposite,
             self._bytes()[other : other + 64])
        )  # fmt: skip
        return write_text(data)

    def splice(self) -> str:
        """One code up to some offset, another from there on, and its length made right or not."""
        at = self._random.choice((*FIELDS[1:-1], self._random.randint(1, 331)))
        data = self._bytes()[:at] + self._bytes()[at:]
        if self._random.random() < 0.5:
            data[1:3] = (len(data) - 3).to_bytes(2, "big")
        return write_text(data)

    def shorten(self) -> str:
        """Bytes or characters cut off at either end or out of the middle."""
        data, text = self._bytes(), write_text(self._bytes())
        cut, at = self._random.randint(1, 70), self._random.randint(0, len(text) - 1)
        return self._random.choice(
            (write_text(data[:-cut]), write_text(data[cut:]), text[:at], text[at:],
             text[:at] + text[at + cut :])
        )  # fmt: skip

    def extend(self) -> str:
        """More bytes or characters, also where an extension would be."""
        data, text = self._bytes(), write_text(self._bytes())
        more = self._random.randbytes(self._random.randint(1, 40))
        longer = data[:198] + more + data[198:]
        longer[1:3] = (len(longer) - 3).to_bytes(2, "big")
        longer[197] = (longer[197] + len(more)) & 0xFF
        return self._random.choice(
            (write_text(data + more), write_text(more + data), write_text(longer), text + "\n",
             text + " ", text + "00", " " + text)
        )  # fmt: skip

    def respell(self) -> str:
        """The same code in another spelling, as a careless reader would take it."""
        text = write_text(self._bytes())
        at = self._random.randrange(4, len(text))
        return self._random.choice(
            (text.lower(), "mot:" + text[4:], "TP1:" + text[4:], text[4:],
             text[:at] + " " + text[at:], text[:at] + "\u200b" + text[at:],
             text[:at] + "\u0661" + text[at + 1 :],
             text[:4] + text, text.replace(" ", "+"), text[:at] + ":::" + text[at + 3 :])
        )  # fmt: skip

    def wrong_user(self) -> str:
        """The drawn part changed, and signed by another user key."""
        good, data = self._good(), self._bytes()
        span = layout.parse(bytes(data)).issuer_signed
        at = span.stop + 65
        if self._random.random() < 0.5:
            data[at : at + 4] = self._random.randbytes(4)
        others = [g.user for g in self._goods if g.user.public.data != bytes(data[158:191])]
        key = self._random.choice((STRANGER, good.user, *others))
        if key.public.data == bytes(data[158:191]):
            key = STRANGER
        unsigned = bytes(data[:-64])
        return write_text(unsigned + key.sign(unsigned[:-1]))

    def wrong_issuer(self) -> str:
        """An authorisation of the attacker's choice, signed by a key that is not the issuer's."""
        return self._forged(replace(ISSUER, key=self._random.choice((STRANGER, ROOT))))

    def own_chain(self) -> str:
        """A certificate of the attacker's own, signed by himself, the issuer or a rider."""
        signer = self._random.choice((STRANGER, ISSUER.key, self._good().user))
        return self._forged(SandboxIssuer(signer, 1, STRANGER), own_certificate=True)

    def _forged(self, by: SandboxIssuer, own_certificate: bool = False) -> str:
        code = layout.parse(self._good().data)
        it = replace(code.authorisation, device_key=STRANGER.public.data,
                     ceiling_fen=self._random.randrange(1 << 24))  # fmt: skip
        signature = by.key.sign(layout.encode_authorisation(it))
        certificate = by.certificate if own_certificate else code.certificate
        unsigned = MotCode(certificate, it, signature, code.generated_at, bytes(64))
        drawn = STRANGER.sign(layout.encode_unsigned(unsigned))
        return write_text(layout.encode(replace(unsigned, device_signature=drawn)))
