"""A Ministry of Transport scheme made at run time: two roots, an issuer, a user, one instant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from transitpay.ride_code.deny_list import DenyList
from transitpay.ride_code.mot import layout
from transitpay.ride_code.mot.layout import INTEROPERABLE_ROOTS, LOCAL_ROOTS
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.signing import Algorithm
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.ride_code.verdict import Accepted, ReaderRules, Rejected, judge
from transitpay.sandbox.mot_issuer import SandboxIssuer, SandboxSm2Key, draw
from transitpay.taps import Direction

AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())
ROOT = 7


@dataclass
class MotScheme:
    """Makes and judges codes; every maker takes what a test changes."""

    root: SandboxSm2Key = field(default_factory=SandboxSm2Key.generate)
    issuer_key: SandboxSm2Key = field(default_factory=SandboxSm2Key.generate)
    user: SandboxSm2Key = field(default_factory=SandboxSm2Key.generate)

    def issuer(self, **changes: object) -> SandboxIssuer:
        known = SandboxIssuer(self.root, ROOT, self.issuer_key)
        return replace(known, **changes)  # type: ignore[arg-type] # fields chosen by the test

    def record(self, **changes: object) -> IssuerKey:
        known = IssuerKey(
            INTEROPERABLE_ROOTS + ROOT, Algorithm.SM2, self.root.public.data, "t-union",
            0b10, 0b11, AT - timedelta(30), AT + timedelta(30),
        )  # fmt: skip
        return replace(known, **changes)  # type: ignore[arg-type] # as above

    def trust(self, **changes: object) -> TrustList:
        """The interoperable root opens Shenzhen, the same root's local codes Guangzhou."""
        local = self.record(key_id=LOCAL_ROOTS + ROOT, destinations=0b100)
        return TrustList.of(1, [self.record(**changes), local])

    def reader(self, **changes: object) -> ReaderRules:
        known = ReaderRules(1, 0, Direction.ENTRY)
        return replace(known, **changes)  # type: ignore[arg-type] # as above

    def data(
        self,
        *,
        age_s: int = 5,
        expires_at: int = NOW + 86400,
        issuer: SandboxIssuer | None = None,
        user: SandboxSm2Key | None = None,
        **changes: object,
    ) -> bytes:
        by, phone = issuer or self.issuer(), user or self.user
        authorised = by.authorise(phone.public.data, expires_at, **changes)  # type: ignore[arg-type] # as above
        return draw(by, authorised, phone, NOW - age_s)

    def judge(
        self,
        code: bytes | str,
        *,
        trust: TrustList | None = None,
        deny: DenyList | None = None,
        reader: ReaderRules | None = None,
        at: datetime = AT,
        uncertainty_s: int = 0,
        cache: SignatureCache | None = None,
    ) -> Accepted | Rejected:
        text = code if isinstance(code, str) else layout.write_text(code)
        return judge(
            text, trust or self.trust(), deny or DenyList(), reader or self.reader(), at,
            uncertainty_s, cache,
        )  # fmt: skip

    def reason(self, code: bytes | str, **given: object) -> str:
        """The reason of the verdict; "accepted", or "accepted:flag,flag", where it is none."""
        found = self.judge(code, **given)  # type: ignore[arg-type] # as above
        if isinstance(found, Rejected):
            return found.reason.value
        return "accepted" + "".join(f":{flag}" for flag in found.flags)
