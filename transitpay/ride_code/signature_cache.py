"""Remembers which issuer signatures were found valid, so that a rider's next code costs half.

The whole of what an entry means: *this* issuer key signed *exactly these* bytes with *exactly
this* signature. Beside it stands the key that those same bytes spell, already loaded: of a device,
or in the second format of a user or an issuer. It says nothing of key status, times, deny list or
rights, which are checked at every scan.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transitpay.ride_code.mot.signing import Sm2Key
from transitpay.ride_code.signing import DevicePublicKey


@dataclass(slots=True)
class SignatureCache:
    """A bounded memory of valid issuer signatures; when full it forgets the oldest.

    One thread uses it; nothing is locked. Keys of the second format are larger (about 2 kB), so
    there are at most a quarter of ``limit`` of them.
    """

    limit: int = 4096
    _known: dict[bytes, DevicePublicKey] = field(default_factory=dict)
    _sm2: dict[bytes, Sm2Key] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.limit > 0

    def __len__(self) -> int:
        return len(self._known) + len(self._sm2)

    def device_key(self, key_label: bytes, signed: bytes) -> DevicePublicKey | None:
        """The device key of ``signed`` (offsets 0-128) if this issuer key is known to have
        signed it; ``key_label`` is the issuer key's algorithm and public key."""
        return self._known.get(key_label + signed)

    def remember(self, key_label: bytes, signed: bytes, device_key: DevicePublicKey) -> None:
        """Note that the issuer signature in ``signed`` was verified with this key just now."""
        if len(self._known) >= self.limit:
            del self._known[next(iter(self._known))]
        self._known[key_label + signed] = device_key

    def sm2_key(self, key_label: bytes, signed: bytes) -> Sm2Key | None:
        """The key that ``signed`` spells, a certificate or an authorisation with its signature,
        if this SM2 key is known to have signed it."""
        return self._sm2.get(key_label + signed)

    def remember_sm2(self, key_label: bytes, signed: bytes, key: Sm2Key) -> None:
        """Note that the signature in ``signed`` was verified with this SM2 key just now."""
        if len(self._sm2) >= max(self.limit // 4, 2):
            del self._sm2[next(iter(self._sm2))]
        self._sm2[key_label + signed] = key
