"""Remembers which issuer signatures were found valid, so that a rider's next code costs half.

The whole of what an entry means: *this* issuer key signed *exactly these* 65 bytes with *exactly
this* signature. Beside it stands the device key that those same bytes spell, already loaded. It
says nothing of key status, times, deny list or rights, which are checked at every scan.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transitpay.ride_code.signing import DevicePublicKey


@dataclass(slots=True)
class SignatureCache:
    """A bounded memory of valid issuer signatures; when full it forgets the oldest.

    One thread uses it; nothing is locked.
    """

    limit: int = 4096
    _known: dict[bytes, DevicePublicKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.limit > 0

    def __len__(self) -> int:
        return len(self._known)

    def device_key(self, key_label: bytes, signed: bytes) -> DevicePublicKey | None:
        """The device key of ``signed`` (offsets 0-128) if this issuer key is known to have
        signed it; ``key_label`` is the issuer key's algorithm and public key."""
        return self._known.get(key_label + signed)

    def remember(self, key_label: bytes, signed: bytes, device_key: DevicePublicKey) -> None:
        """Note that the issuer signature in ``signed`` was verified with this key just now."""
        if len(self._known) >= self.limit:
            del self._known[next(iter(self._known))]
        self._known[key_label + signed] = device_key
