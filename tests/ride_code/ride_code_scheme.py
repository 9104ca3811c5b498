"""A small scheme made at run time: two issuer keys, one device, one reader, one instant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from transitpay.money import HKD
from transitpay.ride_code import keys, signing
from transitpay.ride_code.deny_list import Denials, DenyList
from transitpay.ride_code.layout import Authorisation, RideCode, encode, write_text
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.signing import Algorithm, DevicePrivateKey, IssuerPrivateKey
from transitpay.ride_code.trust_list import IssuerKey, TrustList
from transitpay.ride_code.verdict import Accepted, ReaderRules, Rejected, judge
from transitpay.taps import Direction

AT = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
NOW = int(AT.timestamp())


@dataclass
class Scheme:
    """Makes and judges codes; every maker takes the fields that a test changes."""

    issuer_keys: dict[int, IssuerPrivateKey] = field(
        default_factory=lambda: {
            1: keys.generate_issuer_key(Algorithm.ES256),
            2: keys.generate_issuer_key(Algorithm.ED25519),
        }
    )
    device_key: DevicePrivateKey = field(default_factory=keys.generate_device_key)
    known_codes: dict[int, tuple[bytes, TrustList]] = field(default_factory=dict)

    def record(self, key_id: int = 1, **changes: object) -> IssuerKey:
        private = self.issuer_keys[key_id]
        known = IssuerKey(
            key_id, keys.algorithm_of(private), keys.public_bytes(private),
            {1: "alipayhk", 2: "alipay"}[key_id], 0b11, 0b11,
            AT - timedelta(30), AT + timedelta(30),
        )  # fmt: skip
        return replace(known, **changes)  # type: ignore[arg-type] # fields chosen by the test

    def trust(self, **changes: object) -> TrustList:
        return TrustList.of(1, [self.record(1, **changes), self.record(2)])

    def reader(self, **changes: object) -> ReaderRules:
        known = ReaderRules(0, 0, Direction.ENTRY)
        return replace(known, **changes)  # type: ignore[arg-type] # as above

    def authorisation(self, **changes: object) -> Authorisation:
        known = Authorisation(
            1, "0011223344556677", 5, keys.public_bytes(self.device_key), NOW - 3600, 24, 60,
            200, HKD, 0b11, 0b11, 0, 2, 2000,
        )  # fmt: skip
        return replace(known, **changes)  # type: ignore[arg-type] # as above

    def code(
        self,
        *,
        device_key: DevicePrivateKey | None = None,
        issuer_key: IssuerPrivateKey | None = None,
        age_s: int = 5,
        counter: int = 1,
        destination: int = 0,
        slot: int = 0,
        **changes: object,
    ) -> RideCode:
        device = device_key or self.device_key
        it = self.authorisation(**{"device_key": keys.public_bytes(device), **changes})
        issuer = issuer_key or self.issuer_keys[it.key_id]
        unsigned = RideCode(
            it, signing.sign_authorisation(it, issuer), NOW - age_s, counter, destination, slot
        )
        return signing.sign_code(unsigned, device)

    def data(self, **changes: object) -> bytes:
        return encode(self.code(**changes))  # type: ignore[arg-type] # as above

    def known_code(self, key_id: int) -> tuple[bytes, TrustList]:
        """One good code and its trust list, the same at every call."""
        if key_id not in self.known_codes:
            self.known_codes[key_id] = (self.data(key_id=key_id), self.trust())
        return self.known_codes[key_id]

    def judge(
        self,
        code: RideCode | bytes | str,
        *,
        trust: TrustList | None = None,
        deny: Denials | None = None,
        reader: ReaderRules | None = None,
        at: datetime = AT,
        uncertainty_s: int = 0,
        cache: SignatureCache | None = None,
    ) -> Accepted | Rejected:
        data = encode(code) if isinstance(code, RideCode) else code
        text = data if isinstance(data, str) else write_text(data)
        return judge(
            text, trust or self.trust(), deny or DenyList(), reader or self.reader(), at,
            uncertainty_s, cache,
        )  # fmt: skip

    def reason(self, code: RideCode | bytes | str, **given: object) -> str:
        """The reason of the verdict; "accepted", or "accepted:flag,flag", where it is none."""
        found = self.judge(code, **given)  # type: ignore[arg-type] # as above
        if isinstance(found, Rejected):
            return found.reason.value
        return "accepted" + "".join(f":{flag}" for flag in found.flags)


@dataclass
class Crypto:
    """How often the primitives ran since the last ``reset``."""

    verifications: int = 0
    key_loads: int = 0

    def reset(self) -> None:
        self.verifications = self.key_loads = 0
