"""The chain of a Ministry of Transport code: root -> issuer certificate -> user key -> code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from transitpay.ride_code.mot import layout, signing
from transitpay.ride_code.mot.layout import MotCode
from transitpay.ride_code.mot.signing import Sm2Key
from transitpay.ride_code.reasons import Reason
from transitpay.ride_code.signature_cache import SignatureCache
from transitpay.ride_code.trust_list import IssuerKey, KeyStatus

_SIGNATURE_FIELD = 65
#: Where, from the end, the bytes stop that the user signs.
USER_SIGNED_END = -_SIGNATURE_FIELD


@dataclass(frozen=True, slots=True)
class IssuerTerms:
    """What holds for an issuer under a root: the root's record, narrowed by the certificate."""

    issuer: str
    destinations: int
    modes: int
    not_before: datetime
    not_after: datetime
    status: KeyStatus
    test: bool
    compromised_at: datetime | None


def terms(code: MotCode, root: IssuerKey) -> IssuerTerms:
    """The terms of a code's issuer; a test account counts as a test key."""
    return IssuerTerms(
        root.issuer, root.destinations, root.modes, root.not_before,
        min(root.not_after, code.certificate.not_after), root.status,
        root.test or code.is_test, root.compromised_at,
    )  # fmt: skip


def bad_signature(
    received: bytes, code: MotCode, root: IssuerKey, cache: SignatureCache | None
) -> Reason | None:
    """The reason if a signature is bad, over the received bytes.

    Of an issuer that is not in the cache: at most three verifications and two key loads. Of one
    that is: two and one. Of an authorisation that is: one and none.
    """
    issuer = _issuer_key(received, code, root, cache)
    if issuer is None:
        return Reason.BAD_ISSUER_SIGNATURE
    span = code.issuer_signed
    signed = received[span.start : span.stop + _SIGNATURE_FIELD]
    label = b"SM2" + issuer.data
    user = cache.sm2_key(label, signed) if cache is not None else None
    if user is None:
        if not signing.verify(issuer, code.issuer_signature, received[span]):
            return Reason.BAD_ISSUER_SIGNATURE
        user = signing.load_key(code.authorisation.device_key)
        if user is None:
            return Reason.BAD_DEVICE_SIGNATURE
        if cache is not None:
            cache.remember_sm2(label, signed, user)
    if not signing.verify(user, code.device_signature, received[:USER_SIGNED_END]):
        return Reason.BAD_DEVICE_SIGNATURE
    return None


def _issuer_key(
    received: bytes, code: MotCode, root: IssuerKey, cache: SignatureCache | None
) -> Sm2Key | None:
    """The key of the issuer, if this root vouches for it."""
    certificate = received[code.certificate_bytes]
    known = cache.sm2_key(root.cache_label, certificate) if cache is not None else None
    if known is not None:
        return known
    root_key = root.verifier.public_key
    if not isinstance(root_key, Sm2Key) or not signing.verify(
        root_key, code.certificate.signature, certificate[layout.ROOT_SIGNED]
    ):
        return None
    issuer = signing.load_key(code.certificate.public_key)
    if issuer is not None and cache is not None:
        cache.remember_sm2(root.cache_label, certificate, issuer)
    return issuer
